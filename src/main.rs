//! The `caretaker` binary.

fn main() {}
