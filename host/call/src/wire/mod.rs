//! Bytes to typed events and back. Knows the wire's names; does no input or output of its own.

mod envelope;
mod event;
mod frame;
mod spec;

pub(crate) use event::Event;
pub(crate) use event::{Encoder, Outbound, Request};
pub(crate) use frame::FrameReader;
pub use spec::ImportError;
pub(crate) use spec::{spec_from_json, spec_to_json};

#[cfg(test)]
mod tests;
