//! fer
fn main() {}
