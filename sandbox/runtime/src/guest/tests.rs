//! Guests that lie: every number a module can hand to the host, wrong on purpose.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, InstructionSink, MemorySection, MemoryType, Module,
    TypeSection, ValType,
};
use wasmtime::{Config, Engine};

use super::{Fault, Guest, GuestLimits, Status};
use crate::base::Base;
use crate::meter::Meter;
use crate::ticker::Ticker;
use crate::{Limit, Limits};

/// What a fake guest does.
#[derive(Clone, Copy)]
struct Fake {
    /// What `alk_io` returns.
    io_at: u32,
    /// The I/O block at address 16.
    io: [u32; 4],
    /// What `alk_reserve` returns.
    reserve: u32,
    /// Body of `alk_call`; must leave a status.
    call: fn(&mut InstructionSink<'_>),
}

const HONEST: Fake = Fake {
    io_at: 16,
    io: [1024, 1024, 4096, 2],
    reserve: 0,
    call: |code| {
        code.i32_const(0);
    },
};

fn module(fake: &Fake) -> Vec<u8> {
    use ValType::{I32, I64};
    let mut types = TypeSection::new();
    let signatures: [(&[ValType], &[ValType]); 7] = [
        (&[I32; 5], &[I32]),
        (&[I32; 3], &[]),
        (&[], &[I64]),
        (&[], &[I32]),
        (&[I32], &[I32]),
        (&[I32, I64, I32], &[I32]),
        (&[I32; 4], &[I32]),
    ];
    for (params, results) in signatures {
        types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
    }
    let mut imports = ImportSection::new();
    for (name, ty) in [("call", 0), ("log", 1), ("now_ms", 2)] {
        imports.import("alk", name, EntityType::Function(ty));
    }
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let constant = |value: u32| {
        move |sink: &mut InstructionSink<'_>| {
            sink.i32_const(value.cast_signed());
        }
    };
    let bodies: [(&str, u32, Box<dyn Fn(&mut InstructionSink<'_>)>); 5] = [
        ("alk_io", 3, Box::new(constant(fake.io_at))),
        ("alk_reserve", 4, Box::new(constant(fake.reserve))),
        ("alk_settle", 4, Box::new(constant(0))),
        ("alk_call", 5, Box::new(fake.call)),
        ("alk_load", 6, Box::new(constant(0))),
    ];
    for (index, (name, ty, body)) in (3..).zip(bodies) {
        functions.function(ty);
        exports.export(name, ExportKind::Func, index);
        let mut function = Function::new([]);
        body(&mut function.instructions());
        function.instructions().end();
        code.function(&function);
    }
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("__stack_pointer", ExportKind::Global, 0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(100),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut globals = GlobalSection::new();
    globals.global(
        GlobalType {
            val_type: I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(0),
    );
    let mut data = DataSection::new();
    let io: Vec<u8> = fake.io.iter().flat_map(|word| word.to_le_bytes()).collect();
    data.active(0, &ConstExpr::i32_const(16), io);
    data.active(0, &ConstExpr::i32_const(4096), *b"{}\xff\xff");
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&memories)
        .section(&globals);
    module.section(&exports).section(&code).section(&data);
    module.finish()
}

/// Calls the fake with some input, then reads its output.
async fn run(fake: &Fake, input: &str) -> Result<(Status, Option<String>), Fault> {
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
    let meter = Arc::new(Meter::new(limits.cpu));
    let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    let bounds = GuestLimits {
        limits,
        stack_bytes: 1 << 17,
    };
    let mut guest = Guest::new(&base, &bounds, &meter, permit)?;
    let _ticking = ticker.hold();
    let status = meter.charge(&|| 0, guest.call(input, 1)).await?;
    let (lines, _) = guest.state_mut().logs.take();
    assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= 1000);
    let output = guest.output(100)?;
    guest.settle(&[0; 12]).await?;
    Ok((status, output))
}

#[tokio::test]
async fn an_honest_guest_is_understood() {
    assert!(matches!(run(&HONEST, "{}").await, Ok((Status::Done, Some(text))) if text == "{}"));
}

#[tokio::test]
async fn numbers_that_make_no_sense_are_defects() {
    let fakes = [
        (
            "I/O block outside",
            Fake {
                io_at: 65_536,
                ..HONEST
            },
        ),
        (
            "I/O block at the very end",
            Fake {
                io_at: 65_521,
                ..HONEST
            },
        ),
        (
            "I/O block wraps",
            Fake {
                io_at: u32::MAX,
                ..HONEST
            },
        ),
        (
            "input outside",
            Fake {
                io: [65_535, 1024, 4096, 2],
                ..HONEST
            },
        ),
        (
            "input wraps",
            Fake {
                io: [u32::MAX, u32::MAX, 4096, 2],
                ..HONEST
            },
        ),
        (
            "reserved outside",
            Fake {
                io: [1024, 0, 4096, 2],
                reserve: u32::MAX,
                ..HONEST
            },
        ),
        (
            "output outside",
            Fake {
                io: [1024, 1024, 65_530, 100],
                ..HONEST
            },
        ),
        (
            "output wraps",
            Fake {
                io: [1024, 1024, u32::MAX, 100],
                ..HONEST
            },
        ),
        (
            "output not UTF-8",
            Fake {
                io: [1024, 1024, 4096, 4],
                ..HONEST
            },
        ),
        (
            "status 4",
            Fake {
                call: |code| {
                    code.i32_const(4);
                },
                ..HONEST
            },
        ),
        (
            "status -1",
            Fake {
                call: |code| {
                    code.i32_const(-1);
                },
                ..HONEST
            },
        ),
        (
            "status minimum",
            Fake {
                call: |code| {
                    code.i32_const(i32::MIN);
                },
                ..HONEST
            },
        ),
        (
            "trap",
            Fake {
                call: |code| {
                    code.unreachable();
                },
                ..HONEST
            },
        ),
        (
            "name outside",
            Fake {
                call: |code| {
                    code.i32_const(0)
                        .i32_const(-1)
                        .i32_const(1)
                        .i32_const(0)
                        .i32_const(1)
                        .call(0);
                },
                ..HONEST
            },
        ),
        (
            "name too long",
            Fake {
                call: |code| {
                    code.i32_const(0)
                        .i32_const(1)
                        .i32_const(-1)
                        .i32_const(0)
                        .i32_const(1)
                        .call(0);
                },
                ..HONEST
            },
        ),
        (
            "input of a call outside",
            Fake {
                call: |code| {
                    code.i32_const(0)
                        .i32_const(0)
                        .i32_const(1)
                        .i32_const(65_536)
                        .i32_const(1)
                        .call(0);
                },
                ..HONEST
            },
        ),
        (
            "input of a call not UTF-8",
            Fake {
                call: |code| {
                    code.i32_const(0)
                        .i32_const(0)
                        .i32_const(0)
                        .i32_const(4098)
                        .i32_const(2)
                        .call(0);
                },
                ..HONEST
            },
        ),
        (
            "log outside",
            Fake {
                call: |code| {
                    code.i32_const(9)
                        .i32_const(65_500)
                        .i32_const(100)
                        .call(1)
                        .i32_const(0);
                },
                ..HONEST
            },
        ),
    ];
    for (name, fake) in fakes {
        let outcome = run(&fake, "{}").await;
        assert!(matches!(outcome, Err(Fault::Defect(_))), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn limits_hold_against_any_module() {
    let long = Fake {
        io: [1024, 1024, 0, 101],
        ..HONEST
    };
    assert!(matches!(run(&long, "{}").await, Ok((_, None))));
    let full = Fake {
        io: [1024, 1, 4096, 2],
        reserve: 0,
        ..HONEST
    };
    assert!(matches!(
        run(&full, "{}").await,
        Err(Fault::Limit(Limit::Memory(_)))
    ));
    let endless = Fake {
        call: |code| {
            code.loop_(wasm_encoder::BlockType::Empty)
                .br(0)
                .end()
                .i32_const(0);
        },
        ..HONEST
    };
    assert!(matches!(
        run(&endless, "{}").await,
        Err(Fault::Limit(Limit::Cpu(_)))
    ));
    let recursive = Fake {
        call: |code| {
            code.local_get(0).local_get(1).local_get(2).call(6);
        },
        ..HONEST
    };
    assert!(matches!(
        run(&recursive, "{}").await,
        Err(Fault::Limit(Limit::Stack(_)))
    ));
    let calling = Fake {
        call: |code| {
            code.loop_(wasm_encoder::BlockType::Empty);
            code.i32_const(0)
                .i32_const(0)
                .i32_const(1)
                .i32_const(0)
                .i32_const(1)
                .call(0)
                .drop()
                .br(0)
                .end()
                .i32_const(0);
        },
        ..HONEST
    };
    assert!(matches!(
        run(&calling, "{}").await,
        Err(Fault::Limit(Limit::HostCallsTotal(10)))
    ));
    let logging = Fake {
        call: |code| {
            for _ in 0..100 {
                code.i32_const(-1).i32_const(0).i32_const(60_000).call(1);
            }
            code.i32_const(0);
        },
        ..HONEST
    };
    assert!(matches!(run(&logging, "{}").await, Ok((Status::Done, _))));
    let growing = Fake {
        call: |code| {
            code.i32_const(90).memory_grow(0).i32_const(1).i32_add();
        },
        ..HONEST
    };
    assert!(
        matches!(run(&growing, "{}").await, Ok((Status::Done, _))),
        "growth beyond the limit answers -1"
    );
}
