//! The endpoint and the dialer against each other, and against peers that misbehave. Loopback only.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what supports the tests fails like a test")]

mod drain;
mod failing;
mod hostile;
mod keys;
mod limits;
mod serving;
mod streams;
mod support;
#[cfg(unix)]
mod unix;
#[cfg(feature = "iroh")]
mod with_iroh;
