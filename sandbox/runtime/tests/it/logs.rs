//! What `console` leaves behind.

use alknet_sandbox::{Limits, LogLevel};

use crate::support::{call_body, call_body_within, limits};

#[tokio::test]
async fn lines_are_readable() {
    let rows = [
        ("console.log('a', 1, true, null, undefined)", LogLevel::Info, "a 1 true null undefined"),
        ("console.info({a: [1, {b: 2}]})", LogLevel::Info, r#"{"a":[1,{"b":2}]}"#),
        ("console.warn('w')", LogLevel::Warn, "w"),
        ("console.error('e', 5n, Symbol('s'))", LogLevel::Error, "e 5 [symbol]"),
        ("console.debug(() => 1)", LogLevel::Debug, "[function]"),
        ("console.log()", LogLevel::Info, ""),
        ("const a = {}; a.a = a; console.log(a)", LogLevel::Info, "a value that cannot be shown"),
        ("console.log({ toJSON() { throw 1 } })", LogLevel::Info, "a value that cannot be shown"),
        ("console.log('ü😀')", LogLevel::Info, "ü😀"),
    ];
    for (body, level, text) in rows {
        let report = call_body(body, "0").await;
        assert_eq!(
            report.logs.first().map(|line| (line.level, line.text.as_str())),
            Some((level, text)),
            "{body}"
        );
        assert!(report.result.is_ok());
    }
    let report = call_body("console.log(new TypeError('bad'))", "0").await;
    assert!(report.logs[0].text.starts_with("TypeError: bad\n"), "{:?}", report.logs);
    let report = call_body(r"console.log('\ud800')", "0").await;
    assert_eq!(report.logs.len(), 1);
}

#[tokio::test]
async fn a_flood_is_cut_and_said_so() {
    let within = Limits { log_bytes_max: 1000, ..limits() };
    for body in [
        "for (let i = 0; i < 10000; i++) console.log('x'.repeat(100))",
        "for (let i = 0; i < 10000; i++) console.log('')",
        "console.log('é'.repeat(100000))",
    ] {
        let report = call_body_within(body, "0", &within).await;
        let bytes: usize = report.logs.iter().map(|line| line.text.len()).sum();
        assert!(report.result.is_ok() && report.log_truncated && bytes <= 1000, "{body}: {bytes}");
        assert!(report.logs.len() <= 32 && !report.logs.is_empty());
    }
}

#[tokio::test]
async fn the_log_of_a_failed_call_is_kept() {
    let report = call_body("console.log('before'); while (true);", "0").await;
    assert!(report.result.is_err());
    assert_eq!(report.logs.len(), 1);
}
