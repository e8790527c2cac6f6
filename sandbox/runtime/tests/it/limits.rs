//! Every limit ends as itself, with its value.

use std::time::Duration;

use alknet_sandbox::{CallFailure, Language, Limit, Limits, RegisterError};

use crate::support::{Host, call_body_within, failure_of, limits, names, register, register_as};

#[tokio::test]
async fn each_limit_is_named() {
    let short = Duration::from_millis(40);
    let rows: Vec<(&str, Limits, Limit)> = vec![
        ("while (true);", Limits { cpu: short, ..limits() }, Limit::Cpu(short)),
        ("await env.never.it()", Limits { wall: short, ..limits() }, Limit::Wall(short)),
        (
            "while (true);",
            Limits { wall: short, cpu: Duration::from_secs(60), ..limits() },
            Limit::Wall(short),
        ),
        (
            "while (true) await env.echo.it()",
            Limits { cpu: short, host_calls_max: u32::MAX, ..limits() },
            Limit::Cpu(short),
        ),
        (
            "while (true) await env.later.it()",
            Limits { wall: short, cpu: Duration::from_secs(60), host_calls_max: u32::MAX, ..limits() },
            Limit::Wall(short),
        ),
        ("new Uint8Array(8 << 20)", Limits { memory_bytes_max: 4 << 20, ..limits() }, Limit::Memory(4 << 20)),
        ("return 1", Limits { memory_bytes_max: 64 << 10, ..limits() }, Limit::Memory(64 << 10)),
        (
            "(function f() { f() })()",
            Limits { stack_bytes_max: 32 << 10, ..limits() },
            Limit::Stack(32 << 10),
        ),
        (
            "(function f() { f() })()",
            Limits { stack_bytes_max: 1 << 30, ..limits() },
            Limit::Stack(128 << 10),
        ),
        ("return 'x'.repeat(100)", Limits { output_bytes_max: 101, ..limits() }, Limit::Output(101)),
        (
            "for (let i = 0; i < 10; i++) await env.echo.it()",
            Limits { host_calls_max: 9, ..limits() },
            Limit::HostCallsTotal(9),
        ),
        ("for (;;) env.echo.it()", Limits { host_calls_max: 100, ..limits() }, Limit::HostCallsTotal(100)),
        (
            "await env.echo.it('x'.repeat(100))",
            Limits { host_call_bytes_max: 100, ..limits() },
            Limit::HostCallBytes(100),
        ),
        (
            "try { await env.echo.it('x'.repeat(100)) } catch {}",
            Limits { host_call_bytes_max: 100, ..limits() },
            Limit::HostCallBytes(100),
        ),
        (
            "await env.invoke('x'.repeat(100))",
            Limits { host_buffer_bytes_max: 100, ..limits() },
            Limit::HostBuffer(100),
        ),
        (
            "for (let i = 0; i < 10; i++) env.never.it('x'.repeat(100))",
            Limits { host_buffer_bytes_max: 1000, ..limits() },
            Limit::HostBuffer(1000),
        ),
    ];
    for (body, within, limit) in rows {
        assert_eq!(failure_of(body, &within).await, CallFailure::Limit(limit), "{body}");
    }
}

#[tokio::test]
async fn just_within_a_limit_is_fine() {
    let rows: Vec<(&str, Limits)> = vec![
        ("return 'x'.repeat(100)", Limits { output_bytes_max: 102, ..limits() }),
        ("for (let i = 0; i < 10; i++) await env.echo.it()", Limits { host_calls_max: 10, ..limits() }),
        ("await env.echo.it('x'.repeat(91))", Limits { host_call_bytes_max: 100, ..limits() }),
        (
            "for (let i = 0; i < 100; i++) await env.later.it('x'.repeat(80))",
            Limits { host_buffer_bytes_max: 100, ..limits() },
        ),
        (
            "for (let i = 0; i < 3; i++) new Uint8Array(1 << 20)",
            Limits { memory_bytes_max: 8 << 20, ..limits() },
        ),
        ("throw new OperationError('A', 'm')", Limits { output_bytes_max: 1, ..limits() }),
    ];
    for (body, within) in rows {
        match call_body_within(body, "0", &within).await.result {
            Ok(_) | Err(CallFailure::Raised { .. }) => {}
            Err(other) => panic!("{body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_result_that_is_too_long_can_be_caught() {
    let within = Limits { host_call_bytes_max: 1000, ..limits() };
    let body =
        "try { return await env.big.it(2000) } catch (e) { return [e.code, (await env.big.it(900)).length] }";
    let report = call_body_within(body, "0", &within).await;
    assert_eq!(report.result.as_deref(), Ok(r#"["RESULT_TOO_LARGE",900]"#));
}

#[tokio::test]
async fn inputs_and_sources_are_measured_before_anything_runs() {
    let tool = register("export default () => 1").await;
    let within = Limits { input_bytes_max: 4, ..limits() };
    assert_eq!(tool.call("1234", &Host::default(), &within).await.result.as_deref(), Ok("1"));
    let result = tool.call("12345", &Host::default(), &within).await.result;
    assert_eq!(result, Err(CallFailure::Limit(Limit::Input(4))));
    let within = Limits { source_bytes_max: 21, ..limits() };
    let result = register_as(Language::JavaScript, "export default () => 1", &names(), &within).await;
    assert_eq!(result.unwrap_err(), RegisterError::Limit(Limit::Source(21)));
}

#[tokio::test]
async fn registration_is_limited_like_a_call() {
    let short = Duration::from_millis(40);
    let rows: Vec<(&str, Limits, Limit)> = vec![
        ("while (true);", Limits { cpu: short, ..limits() }, Limit::Cpu(short)),
        (
            "const a = []; while (true) a.push(new Uint8Array(1 << 20))",
            Limits { cpu: Duration::from_secs(20), ..limits() },
            Limit::Memory(64 << 20),
        ),
        ("(function f() { f() })()", limits(), Limit::Stack(128 << 10)),
    ];
    for (top, within, limit) in rows {
        let text = format!("{top};\nexport default () => 1");
        let result = register_as(Language::JavaScript, &text, &names(), &within).await;
        assert_eq!(result.unwrap_err(), RegisterError::Limit(limit), "{top}");
    }
}

#[tokio::test]
async fn a_tool_may_need_more_memory_than_a_later_call_grants() {
    let tool =
        register("const big = new Uint8Array(20 << 20).fill(7); export default () => big.length").await;
    let within = Limits { memory_bytes_max: 8 << 20, ..limits() };
    let result = tool.call("0", &Host::default(), &within).await.result;
    assert_eq!(result, Err(CallFailure::Limit(Limit::Memory(8 << 20))));
    assert_eq!(tool.call("0", &Host::default(), &limits()).await.result.as_deref(), Ok("20971520"));
}

#[test]
fn limits_have_names_and_values() {
    let limit = Limit::Cpu(Duration::from_millis(5));
    assert_eq!((limit.name(), limit.max()), ("cpu_ms", 5));
    assert!(CallFailure::Limit(limit).to_string().contains("5 ms of CPU"));
    assert_eq!(Limit::HostBuffer(9).max(), 9);
}
