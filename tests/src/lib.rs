//! The tests live in `tests/e2e`.
