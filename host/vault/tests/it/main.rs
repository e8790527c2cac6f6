//! The vault from the outside: known answers, states, what it never shows, and what is almost right.

#![expect(clippy::unwrap_used, reason = "what supports the tests fails like a test")]

mod corpora;
mod fuzzing;
mod states;
mod vectors;
