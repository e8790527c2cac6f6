//! Bytes to typed events and back. Knows the wire's names; does no input or output of its own.

mod envelope;
mod event;
mod frame;
mod spec;

pub(crate) use event::Event;
pub(crate) use event::{Encoder, Request};
pub(crate) use frame::FrameReader;
pub(crate) use spec::spec_to_json;

#[cfg(test)]
mod tests;
