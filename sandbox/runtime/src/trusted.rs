//! The one place that turns bytes into native code.

use wasmtime::{Engine, Module};

use crate::SandboxError;

/// Loads code that this process compiled, or read back, verified, from its private cache directory.
#[expect(unsafe_code, reason = "loading compiled code has no safe form")]
pub(crate) fn load(engine: &Engine, code: &[u8]) -> Result<Module, SandboxError> {
    // SAFETY: `code` is the output of `Engine::precompile_module` for a compatible engine. Callers pass either that
    // output itself, or bytes whose SHA-256 equals the one written with them, from a file in a directory that only
    // this user can enter. The bytes are owned by the caller and copied here, so nothing can change them meanwhile.
    unsafe { Module::deserialize(engine, code) }.map_err(SandboxError::engine)
}
