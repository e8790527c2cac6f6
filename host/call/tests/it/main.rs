//! Tests of the call protocol through its public interface.

#![expect(clippy::unwrap_used, reason = "what supports the tests fails like a test")]

mod authority;
mod link;
mod property;
mod support;
