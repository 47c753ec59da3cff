//! The fuzz target of this crate on its corpus, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint does not see as such")]
#![allow(unreachable_pub, reason = "what is included here is public in fuzz")]

#[path = "../../fuzz/src/element.rs"]
mod element;
#[path = "../../fuzz/guard.rs"]
mod guard;

#[test]
fn any_buffer_comes_out_or_is_a_flow_error() {
    guard::guard("element", 60, element::run);
}
