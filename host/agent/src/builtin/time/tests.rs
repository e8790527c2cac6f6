use std::sync::Arc;

use alknet_core::ManualClock;
use serde_json::json;

use crate::builtin::testing::{Host, code};

#[tokio::test]
async fn the_time_is_the_clocks_and_asks_for_no_identity() {
    let clock = Arc::new(ManualClock::new(1_772_368_200_250_999));
    let host = Host::with_clock(super::registrations().unwrap(), clock);
    let output = host.anonymous("time/now", json!({})).await.unwrap();
    assert_eq!(output, json!({"unix_ms": 1_772_368_200_250_u64, "rfc3339": "2026-03-01T12:30:00.25Z"}));

    let refused = host.anonymous("time/now", json!({"zone": "CET"})).await;
    assert_eq!(code(&refused), "INVALID_INPUT");
}

#[tokio::test]
async fn a_clock_beyond_the_calendar_is_an_internal_error() {
    let host = Host::with_clock(super::registrations().unwrap(), Arc::new(ManualClock::new(u64::MAX)));
    assert_eq!(code(&host.anonymous("time/now", json!({})).await), "INTERNAL");
}
