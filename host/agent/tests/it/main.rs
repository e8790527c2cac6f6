//! Sessions through the dispatcher: grants, tools, examples, ownership, expiry, records.

mod grants;
mod lifecycle;
mod support;
mod tools;
