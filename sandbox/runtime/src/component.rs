//! Tools that are WebAssembly components: brought as binary or as text, run in a fresh instance for each call.
//!
//! A component sees what the world in `schemas/wit/tool.wit` imports and nothing else. Its calls of operations block
//! it, on a stack of its own, so it has one at a time and is not put aside while it waits.

mod call;
mod check;
mod compile;
mod linker;
mod mailbox;
mod state;
mod text;
mod types;
mod world;

pub(crate) use call::ComponentTool;
pub(crate) use compile::{compile, digest};
pub(crate) use linker::linker;
pub(crate) use state::ComponentState;

/// What a component is brought as.
#[derive(Debug, Clone, Copy)]
pub enum Binary<'a> {
    /// WebAssembly text: a `(module ...)` with the core functions of the world, or a `(component ...)`.
    Text(&'a str),
    /// A component, or a core module with the core functions of the world.
    Bytes(&'a [u8]),
}
