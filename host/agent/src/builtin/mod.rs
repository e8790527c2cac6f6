//! The operations every host can offer: files below configured roots, a key-value store, HTTP to configured
//! targets, and the time.
//!
//! Each module makes ordinary curated registrations; the assembly decides which of them a host has.

pub mod fs;
pub mod http;
pub mod kv;
pub mod time;

#[cfg(test)]
mod testing;

use alknet_core::Scope;

/// The scope that one of our own constants names.
#[expect(clippy::expect_used, reason = "only called with constants, all of which the tests parse")]
fn scope(name: &'static str) -> Scope {
    Scope::parse(name).expect("a scope of this crate parses")
}
