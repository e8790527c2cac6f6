//! Guests that lie: every number a module can hand to the host, wrong on purpose.

use std::sync::Arc;
use std::time::Duration;

use wasm_encoder::Instruction::{
    self, Br, Call, Drop as Pop, End, I32Add, I32Const, LocalGet, Loop, MemoryGrow, Unreachable,
};
use wasm_encoder::ValType::{I32, I64};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};
use wasmtime::{Config, Engine};

use super::{Fault, Guest, GuestLimits, Status};
use crate::base::Base;
use crate::fair::{Share, Turns};
use crate::meter::{Lane, Meter};
use crate::ticker::Ticker;
use crate::{Limit, Limits};

/// What a fake guest does.
#[derive(Debug, Clone)]
struct Fake {
    /// What `alk_io` returns.
    io_at: u32,
    /// The I/O block at address 16.
    io: [u32; 4],
    /// What `alk_reserve` returns.
    reserve: u32,
    /// Body of `alk_call`; must leave a status.
    call: Vec<Instruction<'static>>,
}

fn honest() -> Fake {
    Fake { io_at: 16, io: [1024, 1024, 4096, 2], reserve: 0, call: vec![I32Const(0)] }
}

fn calling(call: Vec<Instruction<'static>>) -> Fake {
    Fake { call, ..honest() }
}

fn io(io: [u32; 4]) -> Fake {
    Fake { io, ..honest() }
}

/// A guest that hands these five numbers to the import `call`.
fn import(arguments: [i32; 5]) -> Fake {
    calling(arguments.map(I32Const).into_iter().chain([Call(0)]).collect())
}

/// Parameters and results of the imports, then of `io`, `reserve` and `settle`, `call`, `load`.
const SIGNATURES: [(&[ValType], &[ValType]); 7] = [
    (&[I32; 5], &[I32]),
    (&[I32; 3], &[]),
    (&[], &[I64]),
    (&[], &[I32]),
    (&[I32], &[I32]),
    (&[I32, I64, I32], &[I32]),
    (&[I32; 4], &[I32]),
];

fn module(fake: &Fake) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (params, results) in SIGNATURES {
        types.ty().function(params.iter().copied(), results.iter().copied());
    }
    let mut imports = ImportSection::new();
    for (name, ty) in [("call", 0), ("log", 1), ("now_ms", 2)] {
        imports.import("alk", name, EntityType::Function(ty));
    }
    let (mut functions, mut exports, mut code) =
        (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    let bodies = [
        ("alk_io", 3, vec![I32Const(fake.io_at.cast_signed())]),
        ("alk_reserve", 4, vec![I32Const(fake.reserve.cast_signed())]),
        ("alk_settle", 4, vec![I32Const(0)]),
        ("alk_call", 5, fake.call.clone()),
        ("alk_load", 6, vec![I32Const(0)]),
    ];
    for (index, (name, ty, body)) in (3..).zip(bodies) {
        functions.function(ty);
        exports.export(name, ExportKind::Func, index);
        let mut function = Function::new([]);
        body.iter().chain([&End]).for_each(|instruction| {
            function.instruction(instruction);
        });
        code.function(&function);
    }
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("__stack_pointer", ExportKind::Global, 0);
    let mut memories = MemorySection::new();
    let maximum = Some(100);
    memories.memory(MemoryType { minimum: 1, maximum, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    globals.global(GlobalType { val_type: I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
    let mut data = DataSection::new();
    let io: Vec<u8> = fake.io.iter().flat_map(|word| word.to_le_bytes()).collect();
    data.active(0, &ConstExpr::i32_const(16), io);
    data.active(0, &ConstExpr::i32_const(4096), *b"{}\xff\xff");
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}

/// Calls the fake with some input, then reads its output.
async fn run(fake: &Fake) -> Result<(Status, Option<String>), Fault> {
    let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let ticker = Ticker::start(&engine).unwrap();
    let module = wasmtime::Module::new(&engine, module(fake)).unwrap();
    let base = Arc::new(Base::of_module(engine, &module, String::new()).unwrap());
    let limits = Limits {
        cpu: Duration::from_millis(50),
        memory_bytes_max: 4 << 20,
        host_calls_max: 10,
        log_bytes_max: 1000,
        ..Limits::default()
    };
    let meter =
        Arc::new(Meter::new(limits.cpu, Lane { processors: Turns::new(1, 1), share: Share::fresh() }));
    let turn = Turns::new(1, 1).take(Share::fresh()).await.unwrap();
    let bounds = GuestLimits { limits, stack_bytes: 1 << 17 };
    let mut guest = Guest::new(&base, &bounds, &meter, turn)?;
    let _ticking = ticker.hold();
    let status = meter.charge(&|| 0, guest.call("{}", 1)).await?;
    let (lines, _) = guest.state_mut().logs.take();
    assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= 1000);
    let output = guest.output(100)?;
    guest.settle(&[0; 12]).await?;
    Ok((status, output))
}

#[tokio::test]
async fn an_honest_guest_is_understood() {
    assert!(matches!(run(&honest()).await, Ok((Status::Done, Some(text))) if text == "{}"));
}

#[tokio::test]
async fn numbers_that_make_no_sense_are_defects() {
    let fakes = [
        ("I/O block outside", Fake { io_at: 65_536, ..honest() }),
        ("I/O block at the very end", Fake { io_at: 65_521, ..honest() }),
        ("I/O block wraps", Fake { io_at: u32::MAX, ..honest() }),
        ("input outside", io([65_535, 1024, 4096, 2])),
        ("input wraps", io([u32::MAX, u32::MAX, 4096, 2])),
        ("reserved outside", Fake { reserve: u32::MAX, ..io([1024, 0, 4096, 2]) }),
        ("output outside", io([1024, 1024, 65_530, 100])),
        ("output wraps", io([1024, 1024, u32::MAX, 100])),
        ("output not UTF-8", io([1024, 1024, 4096, 4])),
        ("status 6", calling(vec![I32Const(6)])),
        ("status -1", calling(vec![I32Const(-1)])),
        ("status minimum", calling(vec![I32Const(i32::MIN)])),
        ("trap", calling(vec![Unreachable])),
        ("name outside", import([0, -1, 1, 0, 1])),
        ("name too long", import([0, 1, -1, 0, 1])),
        ("input of a call outside", import([0, 0, 1, 65_536, 1])),
        ("input of a call not UTF-8", import([0, 0, 0, 4098, 2])),
        ("log outside", calling(vec![I32Const(9), I32Const(65_500), I32Const(100), Call(1), I32Const(0)])),
    ];
    for (name, fake) in fakes {
        let outcome = run(&fake).await;
        assert!(matches!(outcome, Err(Fault::Defect(_))), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn limits_hold_against_any_module() {
    assert!(matches!(run(&io([1024, 1024, 0, 101])).await, Ok((_, None))));
    assert!(matches!(run(&io([1024, 1, 4096, 2])).await, Err(Fault::Limit(Limit::Memory(_)))));
    let endless = calling(vec![Loop(BlockType::Empty), Br(0), End, I32Const(0)]);
    assert!(matches!(run(&endless).await, Err(Fault::Limit(Limit::Cpu(_)))));
    let recursive = calling(vec![LocalGet(0), LocalGet(1), LocalGet(2), Call(6)]);
    assert!(matches!(run(&recursive).await, Err(Fault::Limit(Limit::Stack(_)))));
    let mut flood = vec![Loop(BlockType::Empty)];
    flood.extend(import([0, 0, 1, 0, 1]).call);
    flood.extend([Pop, Br(0), End, I32Const(0)]);
    assert!(matches!(run(&calling(flood)).await, Err(Fault::Limit(Limit::HostCallsTotal(10)))));
    let line = [I32Const(-1), I32Const(0), I32Const(60_000), Call(1)];
    let mut logging: Vec<_> = std::iter::repeat_n(line, 100).flatten().collect();
    logging.push(I32Const(0));
    assert!(matches!(run(&calling(logging)).await, Ok((Status::Done, _))));
    let growing = calling(vec![I32Const(90), MemoryGrow(0), I32Const(1), I32Add]);
    assert!(matches!(run(&growing).await, Ok((Status::Done, _))), "growth beyond the limit answers -1");
}
