//! The tasks of the project: tests, benchmarks, tidiness.
fn main() {}
