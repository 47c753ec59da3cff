//! The trainer's parts working together, on tiny generated data.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod card;
mod dataset;
mod drift;
mod export;
mod fer2013;
mod recipe;
mod resume;
mod support;
