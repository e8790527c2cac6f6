//! The endpoint and the dialer against each other, and against peers that misbehave. Loopback only.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod drain;
mod failing;
mod hostile;
mod keys;
mod limits;
mod serving;
mod streams;
mod support;
#[cfg(feature = "iroh")]
mod with_iroh;
