//! Native backends.
