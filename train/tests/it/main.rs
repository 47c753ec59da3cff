//! The trainer's parts working together, on tiny generated data.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod balance;
mod card;
mod dataset;
mod distill;
mod drift;
mod ensemble;
mod evaluate;
mod export;
mod fer2013;
mod folder;
mod inspect;
mod join;
mod memory;
mod networks;
mod outputs;
mod pretrained;
mod prune;
mod quantise;
mod recipe;
mod reference;
mod resume;
mod runs;
mod signals;
mod speech;
mod steadiness;
mod support;
mod throughput;
mod tiny;
mod torchvision;
