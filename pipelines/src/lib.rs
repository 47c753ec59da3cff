//! YAML pipelines: what they say ([`config`]), the GStreamer pipelines that are made of them
//! ([`graph`]), what keeps those alive ([`run`]), what they have recorded ([`recording`]), and
//! recordings annotated from beginning to end ([`batch`]).

// Whoever reads the standard error may go: see `speech`.
#![cfg_attr(not(test), warn(clippy::print_stderr))]

pub mod batch;
pub mod bench;
pub mod config;
pub mod crop;
pub mod devices;
pub mod doctor;
mod files;
pub mod graph;
pub mod integrity;
pub mod models;
pub mod recording;
pub mod report;
pub mod run;
pub mod speech;
