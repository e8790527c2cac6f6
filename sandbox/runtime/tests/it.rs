//! The sandbox from outside: tables of tools, and what each must come to.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what supports the tests fails like a test")]

#[path = "it/support.rs"]
mod support;

#[path = "it/cache.rs"]
mod cache;
#[path = "it/calls.rs"]
mod calls;
#[path = "it/cancel.rs"]
mod cancel;
#[path = "it/components.rs"]
mod components;
#[path = "it/concurrency.rs"]
mod concurrency;
#[path = "it/dice.rs"]
mod dice;
#[path = "it/env.rs"]
mod env;
#[path = "it/errors.rs"]
mod errors;
#[path = "it/files.rs"]
mod files;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/isolation.rs"]
mod isolation;
#[path = "it/library.rs"]
mod library;
#[path = "it/limits.rs"]
mod limits;
#[path = "it/logs.rs"]
mod logs;
#[path = "it/places.rs"]
mod places;
#[path = "it/smith.rs"]
mod smith;
#[path = "it/soup.rs"]
mod soup;
#[path = "it/storm.rs"]
mod storm;
#[path = "it/waiting.rs"]
mod waiting;
