//! The alknet-agent command.
fn main() {}
