//! Tests of the call protocol through its public interface.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what supports the tests fails like a test")]

mod authority;
mod bounds;
mod bursts;
mod corpora;
mod idle;
mod ids;
mod link;
mod outliving;
mod peers;
mod property;
mod revoked;
mod screen;
mod streams;
mod support;
