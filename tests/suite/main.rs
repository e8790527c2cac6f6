//! The whole, as its users meet it: the program `alknet-agent` as a process, driven over real QUIC, through its
//! command line and with frames made by hand; and what must be true of the sources themselves.
//!
//! What a single crate can show is tested in that crate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::as_conversions,
    reason = "what supports the tests fails like a test"
)]

mod adversarial;
mod audit;
mod canary;
mod cli;
mod config;
mod conformance;
mod crash;
mod demo;
mod faults;
mod fuzz;
mod identities;
mod python;
mod remotes;
mod sealing;
mod secrets;
mod serve;
mod signals;
mod story;
mod streams;
mod support;
mod tamper;
mod tidy;
mod vault;
mod wire;
