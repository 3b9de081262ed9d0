//! Tsunagu, the program.
fn main() {}
