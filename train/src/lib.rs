//! Trains the classifier that `gst-plugin-fer` runs, scores it honestly and exports it to ONNX.
//!
//! Labels, preprocessing and the manifest are `fer-core`'s own, so that training and inference
//! cannot drift apart. Everything a run depends on is in its [`recipe`].

#![forbid(unsafe_code)]

pub mod augment;
pub mod balance;
pub mod chart;
pub mod checkpoint;
pub mod classes;
pub mod compare;
pub mod dataset;
pub mod degrade;
pub mod distill;
pub mod evaluate;
pub mod export;
pub mod files;
pub mod loss;
pub mod metrics;
pub mod mix;
pub mod network;
pub mod onnx;
pub mod optimiser;
pub mod picture;
pub mod recipe;
pub mod report;
pub mod run;
pub mod smote;
pub mod statistic;
pub mod steadiness;
pub mod training;
pub mod votes;
