//! The fuzz targets of this crate on their corpora, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]
#![allow(unreachable_pub, reason = "what is included here is public in fuzz")]

#[path = "../../fuzz/src/frame.rs"]
mod frame;
#[path = "../../fuzz/guard.rs"]
mod guard;
#[path = "../../fuzz/src/manifest.rs"]
mod manifest;

use guard::guard;

#[test]
fn any_bytes_are_a_manifest_or_an_error() {
    guard("manifest", 20_000, manifest::run);
}

#[test]
fn any_bytes_are_frames_or_an_error() {
    guard("frame", 20_000, frame::run);
}
