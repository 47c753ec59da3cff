//! End to end: real pictures and videos through whole pipelines.
//!
//! Clips are looked for in `../shared` beside the repository; tests that need one say so and skip.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "v1_24")]
mod analytics;
mod clips;
mod documents;
mod element_docs;
mod examples;
mod json_schema;
mod launch_lines;
mod pipelines;
mod plugin;
mod support;
