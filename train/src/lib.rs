//! Trains the classifier that `gst-plugin-fer` runs, scores it honestly and exports it to ONNX.
//!
//! Labels, preprocessing and the manifest are `fer-core`'s own, so that training and inference
//! cannot drift apart. Everything a run depends on is in its [`recipe`].
//!
//! Without the feature `torch`, a default, it needs no libtorch and only reads, measures and draws:
//! so fuzzers run its readers.

#![forbid(unsafe_code)]

#[cfg(feature = "torch")]
pub mod augment;
#[cfg(feature = "torch")]
pub mod balance;
pub mod chart;
#[cfg(feature = "torch")]
pub mod checkpoint;
pub mod classes;
#[cfg(feature = "torch")]
pub mod compare;
pub mod dataset;
#[cfg(feature = "torch")]
pub mod degrade;
#[cfg(feature = "torch")]
pub mod distill;
#[cfg(feature = "torch")]
pub mod evaluate;
#[cfg(feature = "torch")]
pub mod export;
pub mod files;
#[cfg(feature = "torch")]
pub mod loss;
pub mod metrics;
#[cfg(feature = "torch")]
pub mod mix;
#[cfg(feature = "torch")]
pub mod network;
#[cfg(feature = "torch")]
pub mod onnx;
#[cfg(feature = "torch")]
pub mod optimiser;
pub mod picture;
#[cfg(feature = "torch")]
pub mod prune;
pub mod recipe;
#[cfg(feature = "torch")]
pub mod report;
#[cfg(feature = "torch")]
pub mod run;
#[cfg(feature = "torch")]
pub mod smote;
pub mod statistic;
#[cfg(feature = "torch")]
pub mod steadiness;
#[cfg(feature = "torch")]
pub mod training;
#[cfg(feature = "torch")]
pub mod votes;
