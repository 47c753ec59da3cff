//! Facial expression analysis: a frame's pixels and its media time go in, a report comes out.
//!
//! The analysis does no I/O and knows no clock, GStreamer, OpenCV or ONNX Runtime; those are plugged in
//! behind the traits of [`detect`] and [`classify`]. [`manifest`] reads the files that describe models,
//! [`record`] and [`onvif`] put a report into words.

#![forbid(unsafe_code)]

pub mod analyzer;
pub mod carry;
pub mod classify;
pub mod config;
pub mod cut;
pub mod debounce;
pub mod detect;
pub mod emotion;
pub mod event;
pub mod fake;
pub mod frame;
pub mod geometry;
pub mod manifest;
pub mod motion;
pub mod one_euro;
pub mod onvif;
pub mod preprocess;
pub mod reclassify;
pub mod record;
pub mod registry;
pub mod report;
mod scan;
pub mod smooth;
pub mod thumbnail;
pub mod time;
pub mod track;
mod upstream;
