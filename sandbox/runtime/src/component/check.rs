//! What is refused before anything is compiled: code that would take too long, or too much, to compile.
//!
//! The compiler's time grows with the size of a function times its variables, so both are bounded together.

use wasmparser::{FunctionBody, Parser, Payload, Validator};

use super::world;
use crate::Limits;

/// Why a binary is refused, and where in it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) offset: Option<usize>,
}

#[derive(Default)]
struct Counts {
    modules: usize,
    components: usize,
    functions: usize,
    memories: usize,
    memory_bytes: u64,
    /// How deep the payload at hand is nested; imports of the outermost component are the world's.
    depth: usize,
}

/// Whether `bytes`, a component, may be compiled.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut counts = Counts::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        counts.add(&payload)?;
        counts.within(limits)?;
    }
    valid(bytes)
}

/// Whether `bytes` is valid WebAssembly; says where it is not.
pub(super) fn valid(bytes: &[u8]) -> Result<(), Refusal> {
    Validator::new().validate_all(bytes).map(|_| ()).map_err(malformed)
}

impl Counts {
    fn add(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.modules += 1;
                self.depth += 1;
            }
            Payload::ComponentSection { .. } => {
                self.components += 1;
                self.depth += 1;
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionEntry(body) => {
                self.functions += 1;
                compiles_soon(body)?;
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let memory = memory.map_err(malformed)?;
                    self.memories += 1;
                    let bytes = memory.initial.saturating_mul(WASM_PAGE);
                    self.memory_bytes = self.memory_bytes.saturating_add(bytes);
                }
            }
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports.clone() {
                    let name = import.map_err(malformed)?.name.name;
                    if !world::IMPORTS.contains(&name) {
                        return Err(unknown_import(name));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn within(&self, limits: &Limits) -> Result<(), Refusal> {
        let memory_max = u64::try_from(limits.memory_bytes_max).unwrap_or(u64::MAX);
        let refusal = if self.modules > MODULES_MAX {
            format!("it holds more than {MODULES_MAX} modules")
        } else if self.components > COMPONENTS_MAX {
            format!("it holds more than {COMPONENTS_MAX} components")
        } else if self.functions > FUNCTIONS_MAX {
            format!("it has more than {FUNCTIONS_MAX} functions")
        } else if self.memories > MEMORIES_MAX {
            format!("it has more than {MEMORIES_MAX} memory")
        } else if self.memory_bytes > memory_max {
            format!("its memory begins with more than {memory_max} bytes")
        } else {
            return Ok(());
        };
        Err(Refusal { message: refusal, offset: None })
    }
}

fn compiles_soon(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    let range = body.range();
    let bytes = range.len();
    let mut locals = 0_usize;
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, _) = group.map_err(malformed)?;
        locals = locals.saturating_add(crate::guest::index(count));
    }
    if bytes.saturating_mul(locals.saturating_add(PARAMETERS_GUESS)) <= FUNCTION_WORK_MAX {
        return Ok(());
    }
    let message = format!(
        "a function of {bytes} bytes with {locals} local variables is too large to compile; split it up"
    );
    Err(Refusal { message, offset: Some(range.start) })
}

fn unknown_import(name: &str) -> Refusal {
    let shown: String = name.chars().take(NAME_CHARS_MAX).collect();
    let all = world::IMPORTS.join(", ");
    let message = format!("it imports `{shown}`, which is not there: a tool may import {all}, and no WASI");
    Refusal { message, offset: None }
}

fn malformed(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal { message: error.message().to_owned(), offset: Some(error.offset()) }
}

const WASM_PAGE: u64 = 64 * 1024;
const MODULES_MAX: usize = 8;
const COMPONENTS_MAX: usize = 8;
const FUNCTIONS_MAX: usize = 20_000;
const MEMORIES_MAX: usize = 1;
const NAME_CHARS_MAX: usize = 100;
/// Parameters, and what the compiler keeps for itself.
const PARAMETERS_GUESS: usize = 16;
/// Bytes of a function times its variables: 256 KiB with the parameters alone, 64 KiB with 112 local variables.
const FUNCTION_WORK_MAX: usize = 8 << 20;
