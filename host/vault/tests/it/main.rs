//! The vault from the outside: known answers, states, and what it never shows.

#![expect(clippy::unwrap_used, reason = "what supports the tests fails like a test")]

mod states;
mod vectors;
