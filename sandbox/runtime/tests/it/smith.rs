//! Modules and components that a generator makes up, and damaged ones: refused or run, never worse.

use std::time::Duration;

use alknet_sandbox::{Binary, CallFailure, Limits, RegisterError, Tool};
use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

use crate::dice::Dice;
use crate::support::{Host, limits, register, sandbox};

const SEED: u64 = 0x5317_2026;
/// Modules of each kind.
const MODULES: u64 = 100;
/// Bytes the generator makes a module of.
const MATTER_BYTES: usize = 4096;
const MUTANTS: u64 = 400;

/// What a module must export to be a tool; the generator fills in other functions.
const EXPORTS: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "invoke") (param i32 i32 i32 i32) (result i32) unreachable))"#;

/// What a module may import.
const IMPORTS: &str = r#"(module
  (import "alknet:tool/ops@0.1.0" "invoke" (func (param i32 i32 i32 i32 i32)))
  (import "alknet:tool/runtime@0.1.0" "log" (func (param i32 i32 i32)))
  (import "alknet:tool/runtime@0.1.0" "now-millis" (func (result i64)))
  (import "alknet:tool/runtime@0.1.0" "random-bytes" (func (param i32 i32))))"#;

/// Valid tools, one a module and one a component with resources and a nested module.
const TOOLS: &[&str] = &[
    include_str!("../../../../tests/adversarial/components/calls_without_end.wat"),
    include_str!("../../../../tests/adversarial/components/handle_used_after_drop.wat"),
];

fn bounds() -> Limits {
    Limits {
        cpu: Duration::from_millis(30),
        memory_bytes_max: 8 << 20,
        host_calls_max: 20,
        source_bytes_max: 4 << 20,
        ..limits()
    }
}

/// What the generator may use: everything, or what this sandbox runs, with the shape of a tool.
fn config(tool: bool) -> Config {
    let everything = Config { max_memories: 2, ..Config::default() };
    if !tool {
        return everything;
    }
    Config {
        exports: Some(assemble(EXPORTS)),
        available_imports: Some(assemble(IMPORTS)),
        // The one that is exported is not counted.
        max_memories: 0,
        max_memory32_bytes: 4 << 20,
        memory64_enabled: false,
        threads_enabled: false,
        relaxed_simd_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        reference_types_enabled: false,
        max_table_elements: 1000,
        allow_start_export: true,
        ..everything
    }
}

#[tokio::test]
async fn modules_that_a_generator_makes_up_are_refused_or_run() {
    let healthy = register("export default (n) => n + 1").await;
    let mut accepted = 0;
    for (kind, tool, invalid) in [(0, false, false), (1, true, false), (2, true, true)] {
        for number in 0..MODULES {
            let seed = SEED + (kind << 32) + number;
            let matter = Dice::new(seed).bytes(MATTER_BYTES);
            let config = Config { allow_invalid_funcs: invalid, ..config(tool) };
            let Ok(module) = Module::new(config, &mut Unstructured::new(&matter)) else { continue };
            accepted += usize::from(register_and_call(&module.to_bytes(), seed).await);
        }
        is_well(&healthy, SEED + (kind << 32)).await;
    }
    assert!(accepted > 20, "the generator is far off: only {accepted} of its modules are tools");
}

#[tokio::test]
async fn damaged_tools_are_refused_or_run() {
    let healthy = register("export default (n) => n + 1").await;
    let tools: Vec<Vec<u8>> = TOOLS.iter().map(|text| assemble(text)).collect();
    for number in 0..MUTANTS {
        let seed = SEED + (9 << 32) + number;
        let mut dice = Dice::new(seed);
        let mut bytes = dice.one_of(&tools).clone();
        for _ in 0..=dice.below(3) {
            damage(&mut bytes, &mut dice);
        }
        register_and_call(&bytes, seed).await;
    }
    is_well(&healthy, SEED).await;
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len().max(1)).min(bytes.len());
    let end = (at + dice.below(16)).min(bytes.len());
    match dice.below(5) {
        0 => bytes.truncate(at.max(8)),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        3 => bytes.splice(at..at, dice.bytes(4)).for_each(drop),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
    }
}

/// Whether it was taken for a tool; then it is called once.
async fn register_and_call(bytes: &[u8], seed: u64) -> bool {
    let bounds = bounds();
    let tool = match sandbox().register_component("a-tool", Binary::Bytes(bytes), &bounds).await {
        Ok(tool) => tool,
        Err(RegisterError::Rejected(diagnostics)) => {
            let failed = diagnostics.iter().any(|found| found.message.contains("the compiler failed"));
            assert!(!failed && !diagnostics.is_empty(), "seed {seed}: the compiler panicked");
            return false;
        }
        Err(RegisterError::Limit(_)) => return false,
        Err(error) => panic!("seed {seed}: {error:?}"),
    };
    let report = tool.call("[1]", &Host::default(), &bounds).await;
    if let Err(failure @ (CallFailure::Internal(_) | CallFailure::Unavailable)) = report.result {
        panic!("seed {seed}: {failure:?}");
    }
    true
}

async fn is_well(healthy: &Tool, seed: u64) {
    let report = healthy.call("1", &Host::default(), &limits()).await;
    assert_eq!(report.result.as_deref(), Ok("2"), "after seed {seed}");
}

fn assemble(text: &str) -> Vec<u8> {
    let buffer = wast::parser::ParseBuffer::new(text).unwrap();
    wast::parser::parse::<wast::Wat<'_>>(&buffer).unwrap().encode().unwrap()
}
