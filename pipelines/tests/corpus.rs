//! The fuzz targets of this crate on their corpora, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]
#![allow(unreachable_pub, reason = "what is included here is public in fuzz")]

#[path = "../../fuzz/guard.rs"]
mod guard;
#[path = "../../fuzz/src/json_report.rs"]
mod json_report;
#[path = "../../fuzz/src/pipeline_yaml.rs"]
mod pipeline_yaml;

use guard::guard;

#[test]
fn any_bytes_are_a_pipeline_file_or_problems() {
    guard("pipeline_yaml", 5000, pipeline_yaml::run);
}

#[test]
fn any_bytes_are_a_recording_or_an_error() {
    guard("json_report", 20_000, json_report::run);
}
