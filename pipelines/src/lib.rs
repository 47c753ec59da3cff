//! YAML pipelines: what they say ([`config`]), the GStreamer pipelines that are made of them
//! ([`graph`]), and what keeps those alive ([`run`]).

pub mod config;
mod files;
pub mod graph;
pub mod run;
