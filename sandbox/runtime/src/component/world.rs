//! The world of `schemas/wit/tool.wit`, and how a core module becomes a component of it.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The world, as tools are built against it.
pub(super) const WIT: &str = include_str!("../../../../schemas/wit/tool.wit");

pub(super) const TYPES: &str = "alknet:tool/types@0.1.0";
pub(super) const OPS: &str = "alknet:tool/ops@0.1.0";
pub(super) const RUNTIME: &str = "alknet:tool/runtime@0.1.0";

/// Makes a component of a core module whose imports and exports are the world's core functions.
pub(super) fn componentize(mut module: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("tool.wit", WIT).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], Some("tool")).map_err(|error| format!("{error:#}"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| format!("{error:#}"))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{error:#}"))
}

/// What a component may import.
pub(super) const IMPORTS: [&str; 3] = [TYPES, OPS, RUNTIME];
