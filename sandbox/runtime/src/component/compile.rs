//! From what an author brings to compiled code.

use std::thread;

use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use wasmtime::component::{Component, Linker};

use super::check::{self, Refusal};
use super::text::{Assembled, Lines, Place, assemble};
use super::{Binary, ComponentState, ComponentTool, world};
use crate::fair::Turn;
use crate::lower::shortened;
use crate::{Diagnostic, Limits};

/// Compiles what was brought, or says what is wrong with it.
///
/// Runs on a thread of its own, which holds `turn` until it is done, also when nobody waits for it any more: as many
/// compile at once as there are turns. A panic of a compiler ends there.
pub(crate) async fn compile(
    linker: &Linker<ComponentState>,
    binary: Binary<'_>,
    limits: &Limits,
    turn: Turn,
) -> Result<ComponentTool, Vec<Diagnostic>> {
    let (linker, limits) = (linker.clone(), limits.clone());
    let brought = match binary {
        Binary::Text(text) => Brought::Text(text.to_owned()),
        Binary::Bytes(bytes) => Brought::Bytes(bytes.to_owned()),
    };
    let (done, result) = oneshot::channel();
    let compiler = move || {
        let _turn = turn;
        // Nobody may be waiting any more.
        drop(done.send(brought.compile(&linker, &limits)));
    };
    match thread::Builder::new().name("compile".into()).stack_size(STACK_BYTES).spawn(compiler) {
        Ok(_running) => {
            let compiled = result.await.unwrap_or_else(|_| Err(vec![at_start(FAILED.into())]));
            // Messages quote names of any length.
            compiled.map_err(|found| found.into_iter().map(shortened).collect())
        }
        Err(_) => Err(vec![at_start("the compiler could not be started".into())]),
    }
}

enum Brought {
    Text(String),
    Bytes(Vec<u8>),
}

impl Brought {
    fn compile(
        self,
        linker: &Linker<ComponentState>,
        limits: &Limits,
    ) -> Result<ComponentTool, Vec<Diagnostic>> {
        match self {
            Self::Text(text) => {
                let assembled = assemble(&text)?;
                if assembled.is_module {
                    check::valid(&assembled.bytes).map_err(|Refusal { message, offset }| {
                        let place = offset.and_then(|offset| assembled.place(offset));
                        vec![place.unwrap_or(Place::START).diagnostic(&text, message)]
                    })?;
                }
                let lines = assembled.lines(&text);
                let Assembled { bytes, is_module, .. } = assembled;
                load(linker, bytes, is_module, lines, limits)
            }
            Self::Bytes(bytes) => {
                if !bytes.starts_with(MAGIC) {
                    return Err(vec![at_start("this is not WebAssembly: it begins with other bytes".into())]);
                }
                let is_module = wasmparser::Parser::is_core_wasm(&bytes);
                load(linker, bytes, is_module, Lines::default(), limits)
            }
        }
    }
}

fn load(
    linker: &Linker<ComponentState>,
    bytes: Vec<u8>,
    is_module: bool,
    lines: Lines,
    limits: &Limits,
) -> Result<ComponentTool, Vec<Diagnostic>> {
    let refused = |message: String| vec![at_start(message)];
    let bytes = if is_module { world::componentize(bytes).map_err(refused)? } else { bytes };
    check::check(&bytes, limits).map_err(|refusal| refused(refusal.message))?;
    let component =
        Component::from_binary(linker.engine(), &bytes).map_err(|error| refused(format!("{error:#}")))?;
    let pre = linker.instantiate_pre(&component).map_err(|error| refused(format!("{error:#}")))?;
    ComponentTool::new(pre, lines).map_err(refused)
}

/// SHA-256 of what was brought, in lower-case hexadecimal.
pub(crate) fn digest(binary: Binary<'_>) -> String {
    let bytes = match binary {
        Binary::Text(text) => text.as_bytes(),
        Binary::Bytes(bytes) => bytes,
    };
    hex::encode(Sha256::digest(bytes))
}

fn at_start(message: String) -> Diagnostic {
    Diagnostic { file: FILE.into(), message, line: 1, column: 1, snippet: None }
}

/// What a binary is called in messages.
const FILE: &str = "tool.wasm";
const MAGIC: &[u8] = b"\0asm";
const FAILED: &str = "the compiler failed on this source";

/// The text parser and the validator recurse over what they read, within bounds of their own that this holds.
const STACK_BYTES: usize = 64 << 20;
