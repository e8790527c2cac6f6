//! What is refused before anything is compiled: code that would take too long, or too much, to compile.
//!
//! The compiler cannot be interrupted, and its time grows faster than the size of what it compiles. So it is reckoned
//! up beforehand, from what makes it grow, and bounded.

use wasmparser::{ComponentInstance, ComponentTypeRef, FunctionBody, Operator, Parser, Payload, Validator};

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
    /// Components begun, each as often as it is written.
    instances: usize,
    functions: usize,
    memories: usize,
    memory_bytes: u64,
    compile_nanos: u64,
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
                self.compile_nanos = self.compile_nanos.saturating_add(compile_nanos(body)?);
                if self.compile_nanos > COMPILE_NANOS_MAX {
                    let offset = Some(body.range().start);
                    return Err(Refusal { message: TOO_LONG.into(), offset });
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let memory = memory.map_err(malformed)?;
                    self.memories += 1;
                    let bytes = memory.initial.saturating_mul(WASM_PAGE);
                    self.memory_bytes = self.memory_bytes.saturating_add(bytes);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { .. } = instance.map_err(malformed)? {
                        self.instances += 1;
                    }
                }
            }
            Payload::ComponentImportSection(imports) if self.depth == 0 => {
                for import in imports.clone() {
                    let import = import.map_err(malformed)?;
                    // Types have no code behind them: whatever they are called, they give nothing.
                    let is_type = matches!(import.ty, ComponentTypeRef::Type(_));
                    if !is_type && !world::IMPORTS.contains(&import.name.name) {
                        return Err(unknown_import(import.name.name));
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
        } else if self.instances > INSTANCES_MAX {
            format!("it begins components more than {INSTANCES_MAX} times")
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

/// How long the compiler will take for a function, in nanoseconds: a measured guess, on the high side.
fn compile_nanos(body: &FunctionBody<'_>) -> Result<u64, Refusal> {
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(malformed)? {
        let (count, _) = group.map_err(malformed)?;
        locals = locals.saturating_add(count.into());
    }
    let variables = locals.saturating_add(PARAMETERS_GUESS);
    let bytes = u64::try_from(body.range().len()).unwrap_or(u64::MAX);
    let blocks = blocks(body)?;
    let nanos = bytes.saturating_mul(NANOS_PER_BYTE);
    let nanos = nanos.saturating_add(blocks.saturating_mul(blocks).saturating_mul(NANOS_PER_TWO_BLOCKS));
    Ok(nanos.saturating_add(blocks.saturating_mul(variables).saturating_mul(NANOS_PER_BLOCK_AND_VARIABLE)))
}

/// How many places there are to jump from or to.
fn blocks(body: &FunctionBody<'_>) -> Result<u64, Refusal> {
    let mut count = 0_u64;
    for operator in body.get_operators_reader().map_err(malformed)? {
        count += match operator.map_err(malformed)? {
            Operator::BrTable { targets } => targets.len().into(),
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::TryTable { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. } => 1,
            _ => 0,
        };
    }
    Ok(count)
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
/// Components that begin each other multiply: the compiler follows every one. With this many in all, and no more
/// components than above, there are 256 at most.
const INSTANCES_MAX: usize = 16;
const FUNCTIONS_MAX: usize = 20_000;
const MEMORIES_MAX: usize = 1;
const NAME_CHARS_MAX: usize = 100;
/// Parameters, and what the compiler keeps for itself.
const PARAMETERS_GUESS: u64 = 16;
const NANOS_PER_BYTE: u64 = 350;
/// The compiler's time for jumps grows with their square: 8,000 take three seconds.
const NANOS_PER_TWO_BLOCKS: u64 = 50;
const NANOS_PER_BLOCK_AND_VARIABLE: u64 = 800;
/// What one component may take to compile: an ordinary one of the greatest length takes about a second.
const COMPILE_NANOS_MAX: u64 = 4_000_000_000;
const TOO_LONG: &str =
    "compiling it would take too long: split up functions with many blocks or local variables";
