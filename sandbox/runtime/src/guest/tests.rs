//! Guests that lie: every number a module can hand to the host, wrong on purpose.

mod random;
mod real;

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

use super::{Fault, Guest, GuestLimits, Loaded, Status};
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
    /// What `alk_load` and `alk_next` return.
    load: i32,
    next: i32,
}

fn honest() -> Fake {
    Fake { io_at: 16, io: [1024, 1024, 4096, 2], reserve: 0, call: vec![I32Const(0)], load: 0, next: 0 }
}

fn calling(call: Vec<Instruction<'static>>) -> Fake {
    Fake { call, ..honest() }
}

fn io(io: [u32; 4]) -> Fake {
    Fake { io, ..honest() }
}

/// A guest that hands these five numbers to the import `call`.
fn import(arguments: [i32; 5]) -> Fake {
    import_of(&arguments, CALL)
}

/// A guest that hands these numbers to that import.
fn import_of(arguments: &[i32], import: u32) -> Fake {
    calling(arguments.iter().map(|&argument| I32Const(argument)).chain([Call(import)]).collect())
}

/// Numbers of the imports, and of the first function behind them.
const CALL: u32 = 0;
const LOG: u32 = 1;
const TIMER: u32 = 3;
const CANCEL: u32 = 4;
const RANDOM: u32 = 5;
const FIRST: u32 = 6;

/// Parameters and results of the imports and the exports.
const SIGNATURES: [(&[ValType], &[ValType]); 9] = [
    (&[I32; 5], &[I32]),
    (&[I32; 3], &[]),
    (&[], &[I64]),
    (&[], &[I32]),
    (&[I32], &[I32]),
    (&[I32, I64, I32], &[I32]),
    (&[I32; 4], &[I32]),
    (&[I32; 2], &[I32]),
    (&[I32], &[]),
];

fn module(fake: &Fake) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (params, results) in SIGNATURES {
        types.ty().function(params.iter().copied(), results.iter().copied());
    }
    let mut imports = ImportSection::new();
    let imported = [("call", 0), ("log", 1), ("now_ms", 2), ("timer", 7), ("cancel", 8), ("random", 7)];
    for (name, ty) in imported {
        imports.import("alk", name, EntityType::Function(ty));
    }
    let (mut functions, mut exports, mut code) =
        (FunctionSection::new(), ExportSection::new(), CodeSection::new());
    let bodies = [
        ("alk_io", 3, vec![I32Const(fake.io_at.cast_signed())]),
        ("alk_reserve", 4, vec![I32Const(fake.reserve.cast_signed())]),
        ("alk_settle", 4, vec![I32Const(0)]),
        ("alk_call", 5, fake.call.clone()),
        ("alk_load", 6, vec![I32Const(fake.load)]),
        ("alk_next", 4, vec![I32Const(fake.next)]),
    ];
    for (index, (name, ty, body)) in (FIRST..).zip(bodies) {
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
    let mut live = Live::new(fake).await?;
    let _ticking = live.ticker.hold();
    let status = live.meter.charge(&|| 0, live.guest.call("{}", 1)).await?;
    let (lines, _) = live.guest.state_mut().logs.take();
    assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= 1000);
    let output = live.guest.output(100)?;
    live.guest.settle(&[0; 12]).await?;
    Ok((status, output))
}

/// A fake guest, and what keeps it going.
struct Live {
    guest: Guest,
    meter: Arc<Meter>,
    ticker: Ticker,
}

impl Live {
    async fn new(fake: &Fake) -> Result<Self, Fault> {
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
        let permit = Turns::new(1, 1).take(Share::fresh()).await.unwrap();
        let bounds = GuestLimits { limits, stack_bytes: 1 << 17 };
        let guest = Guest::new(&base, &bounds, &meter, permit)?;
        Ok(Self { guest, meter, ticker })
    }
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
        ("random bytes outside", import_of(&[65_500, 100], RANDOM)),
        ("random bytes wrap", import_of(&[-1, -1], RANDOM)),
        ("log outside", calling(vec![I32Const(9), I32Const(65_500), I32Const(100), Call(LOG), I32Const(0)])),
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
    let recursive = calling(vec![LocalGet(0), LocalGet(1), LocalGet(2), Call(FIRST + 3)]);
    assert!(matches!(run(&recursive).await, Err(Fault::Limit(Limit::Stack(_)))));
    let mut flood = vec![Loop(BlockType::Empty)];
    flood.extend(import([0, 0, 1, 0, 1]).call);
    flood.extend([Pop, Br(0), End, I32Const(0)]);
    assert!(matches!(run(&calling(flood)).await, Err(Fault::Limit(Limit::HostCallsTotal(10)))));
    let line = [I32Const(-1), I32Const(0), I32Const(60_000), Call(LOG)];
    let mut logging: Vec<_> = std::iter::repeat_n(line, 100).flatten().collect();
    logging.push(I32Const(0));
    assert!(matches!(run(&calling(logging)).await, Ok((Status::Done, _))));
    let growing = calling(vec![I32Const(90), MemoryGrow(0), I32Const(1), I32Add]);
    assert!(matches!(run(&growing).await, Ok((Status::Done, _))), "growth beyond the limit answers -1");
}

/// What the fake returns, and what the host makes of it.
#[tokio::test]
async fn what_loading_says_is_checked() {
    let shape = |at: u32, text_len: u32| io([1024, 1024, at, text_len]);
    for (name, fake) in [
        ("no output", shape(4096, 0)),
        ("another word", shape(4096, 2)),
        ("too long", shape(4096, 100)),
        ("outside", shape(65_530, 16)),
        ("status 6", Fake { load: 6, ..honest() }),
        ("status -1", Fake { load: -1, ..honest() }),
    ] {
        let loaded = Live::new(&fake).await.unwrap().guest.load(&[], &["a"]).await;
        assert!(matches!(loaded, Err(Fault::Defect(_))), "{name}: {loaded:?}");
    }
    for (status, expected) in [(1, Status::Failed), (2, Status::Pending), (3, Status::Stalled)] {
        let fake = Fake { load: status, ..honest() };
        let loaded = Live::new(&fake).await.unwrap().guest.load(&[], &[]).await.unwrap();
        assert_eq!(loaded, Loaded::Stopped(expected));
    }
}

#[tokio::test]
async fn every_status_of_an_item_is_known() {
    let statuses =
        [Status::Done, Status::Failed, Status::Pending, Status::Stalled, Status::Stream, Status::End];
    for (next, expected) in (0..).zip(statuses) {
        let fake = Fake { next, ..honest() };
        assert_eq!(Live::new(&fake).await.unwrap().guest.next().await.unwrap(), expected);
    }
    for next in [-1, 6, i32::MIN, i32::MAX] {
        let fake = Fake { next, ..honest() };
        assert!(matches!(Live::new(&fake).await.unwrap().guest.next().await, Err(Fault::Defect(_))));
    }
}

#[tokio::test]
async fn timers_of_any_number_are_taken() {
    for id in [0, -1, i32::MIN] {
        assert!(matches!(run(&import_of(&[id, -1], TIMER)).await, Ok((Status::Done, _))));
        let mut cancel = import_of(&[id], CANCEL);
        cancel.call.push(I32Const(0));
        assert!(matches!(run(&cancel).await, Ok((Status::Done, _))));
    }
}
