//! Turns an initialised instance into a module that starts out that way.
//!
//! Everything an instance of the engine can change is its linear memory and one global, the stack pointer; its
//! table is never written. So the baked module is the original with other data segments and another initial value.

use wasm_encoder::{
    ConstExpr, DataSection, GlobalSection, GlobalType, MemorySection, MemoryType, Module, RawSection, ValType,
};
use wasmparser::{Operator, Parser, Payload};

/// `wasm` with `memory` and `stack_pointer` as its initial state. An error says what about `wasm` is unexpected.
pub(crate) fn bake(wasm: &[u8], memory: &[u8], stack_pointer: i32) -> Result<Vec<u8>, String> {
    let mut module = Module::new();
    let mut has_data = false;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| error.to_string())? {
            Payload::MemorySection(memories) => {
                let mut section = MemorySection::new();
                for old in memories {
                    let old = old.map_err(|error| error.to_string())?;
                    section.memory(memory_type(memory.len(), old.maximum)?);
                }
                module.section(&section);
            }
            Payload::GlobalSection(globals) => {
                module.section(&global_section(globals, stack_pointer)?);
            }
            Payload::DataSection(_) => {
                has_data = true;
                module.section(&data_section(memory)?);
            }
            // Custom sections name things; the data count is only needed for passive segments.
            Payload::DataCountSection { .. } | Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = wasm.get(range).ok_or("a section lies outside the module")?;
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    if has_data { Ok(module.finish()) } else { Err("no data section".into()) }
}

fn memory_type(bytes: usize, maximum: Option<u64>) -> Result<MemoryType, String> {
    let pages = u64::try_from(bytes.div_ceil(WASM_PAGE)).map_err(|error| error.to_string())?;
    Ok(MemoryType { minimum: pages, maximum, memory64: false, shared: false, page_size_log2: None })
}

fn global_section(
    globals: wasmparser::GlobalSectionReader<'_>,
    stack_pointer: i32,
) -> Result<GlobalSection, String> {
    let mut section = GlobalSection::new();
    for global in globals {
        let global = global.map_err(|error| error.to_string())?;
        let Ok(Operator::I32Const { value }) = global.init_expr.get_operators_reader().read() else {
            return Err("a global that is no i32".into());
        };
        let mutable = global.ty.mutable;
        let value = if mutable { stack_pointer } else { value };
        section.global(
            GlobalType { val_type: ValType::I32, mutable, shared: false },
            &ConstExpr::i32_const(value),
        );
    }
    Ok(section)
}

/// One segment for each run of pages that are not all zero; whole pages, so that they can be mapped.
fn data_section(memory: &[u8]) -> Result<DataSection, String> {
    let mut section = DataSection::new();
    let mut run: Vec<u8> = Vec::new();
    let mut at = 0;
    for (page, offset) in memory.chunks(HOST_PAGE).zip((0..).step_by(HOST_PAGE)) {
        if page.iter().any(|byte| *byte != 0) {
            if run.is_empty() {
                at = offset;
            }
            run.extend_from_slice(page);
        } else if !run.is_empty() {
            add_segment(&mut section, at, &mut run)?;
        }
    }
    if !run.is_empty() {
        add_segment(&mut section, at, &mut run)?;
    }
    Ok(section)
}

fn add_segment(section: &mut DataSection, at: usize, run: &mut Vec<u8>) -> Result<(), String> {
    let offset = u32::try_from(at).map_err(|error| error.to_string())?.cast_signed();
    section.active(0, &ConstExpr::i32_const(offset), run.drain(..));
    Ok(())
}

const WASM_PAGE: usize = 64 * 1024;
const HOST_PAGE: usize = 4096;
