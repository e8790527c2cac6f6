//! Tests that see the log as a whole, with the clock and the file system under control.

mod crash;
mod durability;
mod faults;
mod merkle;
mod proofs;
mod queries;
mod schema;
mod support;
mod tamper;
