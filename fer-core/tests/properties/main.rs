//! What holds whatever comes in. The cases are the same in every run, unless `PROPTEST_RNG_SEED`
//! and `PROPTEST_CASES` say otherwise.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]

mod analyzer;
mod debounce;
mod frame;
mod geometry;
mod onvif;
mod smooth;
mod support;
mod track;
