//! Sessions through the dispatcher: grants, tools, examples, ownership, expiry, records.

#![expect(clippy::unwrap_used, reason = "what supports the tests fails like a test")]

mod grants;
mod languages;
mod lifecycle;
mod support;
mod tools;
