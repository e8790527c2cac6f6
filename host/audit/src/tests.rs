//! Tests that see the log as a whole, with the clock and the file system under control.

mod corpus;
mod crash;
mod durability;
mod evidence;
mod faults;
mod index;
mod kills;
mod merkle;
mod peers;
mod power;

mod proofs;
mod prune;
mod queries;
mod schema;
mod support;
mod tamper;
