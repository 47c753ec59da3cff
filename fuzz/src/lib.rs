//! What the fuzz targets do with their input. The crates whose code it is run the same with the
//! committed corpora, on stable Rust: each file here stands alone, or needs `file` beside it, so that their tests can include it.

pub mod element;
pub mod fer2013;
pub mod file;
pub mod frame;
pub mod json_report;
pub mod manifest;
pub mod pipeline_yaml;
pub mod recipe;
