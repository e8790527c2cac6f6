//! Calls that arrive together: their records are written together, and nothing comes of them before.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use alknet_call::{
    AuditSink, AuditUnavailable, CallFacts, Decision, Due, Limits, Outcome, Recorded, Registration,
    handler_fn,
};
use alknet_core::Connection;
use serde_json::{Value, json};

use crate::link::{Served, serve};
use crate::support::{Wire, dispatcher_with, pipe, spec};

/// A log that gathers what it may; what happens in which order is in `journal`.
#[derive(Clone, Default)]
struct Gathering(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    journal: Vec<String>,
    records: u64,
    written: u64,
    /// Flushes that go well before nothing can be written any more.
    flushes_left: Option<u32>,
}

impl Gathering {
    fn failing_after(flushes: u32) -> Self {
        let log = Self::default();
        log.0.lock().unwrap().flushes_left = Some(flushes);
        log
    }

    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().journal.push(what.into());
    }

    fn journal(&self) -> Vec<String> {
        self.0.lock().unwrap().journal.clone()
    }

    fn record(&self, due: Due, what: String) -> Recorded {
        let mut state = self.0.lock().unwrap();
        state.journal.push(what);
        match due {
            Due::Now if state.flushes_left == Some(0) => Recorded::Failed(AuditUnavailable),
            Due::Now => {
                state.records += 1;
                state.written = state.records;
                Recorded::Done
            }
            Due::Flush => {
                state.records += 1;
                Recorded::Gathered { through: state.records }
            }
        }
    }
}

impl AuditSink for Gathering {
    fn decided(&self, call: &CallFacts<'_>, decision: &Decision<'_>) -> Recorded {
        let said = match decision {
            Decision::Admitted { input } => format!("admitted {}", input["n"]),
            Decision::Refused { reason, .. } => format!("refused {reason}"),
        };
        self.record(call.due, said)
    }

    fn finished(&self, call: &CallFacts<'_>, outcome: &Outcome<'_>) -> Recorded {
        let code = outcome.result.map_or_else(ToString::to_string, |_| "OK".to_owned());
        self.record(call.due, format!("finished {code}"))
    }

    fn flush(&self, through: u64) -> Result<(), AuditUnavailable> {
        let mut state = self.0.lock().unwrap();
        if state.written < through {
            if state.flushes_left == Some(0) {
                state.journal.push("not flushed".to_owned());
                return Err(AuditUnavailable);
            }
            state.flushes_left = state.flushes_left.map(|left| left - 1);
            state.journal.push("flushed".to_owned());
            state.written = state.records;
        }
        Ok(())
    }
}

/// A host whose operation `t/note` notes the number it is given; a stream to it.
async fn fixture(log: &Gathering) -> (Served, Connection, Wire) {
    let (a, b) = pipe();
    let notes = log.clone();
    let note = handler_fn(move |input: Value, _| {
        notes.note(format!("ran {}", input["n"]));
        async move { Ok(input) }
    });
    let waits = handler_fn(|input: Value, _| async move {
        tokio::task::yield_now().await;
        Ok(input)
    });
    let operations =
        vec![Registration::local(spec("t/note"), note), Registration::local(spec("t/waits"), waits)];
    let served = serve(a, dispatcher_with(operations, Arc::new(log.clone()), Limits::default()));
    let wire = Wire::new(b.open_bi().await.unwrap());
    (served, b, wire)
}

fn request(n: u32, operation: &str) -> Value {
    let payload = json!({ "operationId": operation, "input": { "n": n } });
    json!({ "type": "call.requested", "id": format!("c{n}"), "payload": payload })
}

fn requests(operation: &str, count: u32) -> Vec<Value> {
    (0..count).map(|n| request(n, operation)).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_that_arrive_together_are_recorded_together() {
    let log = Gathering::default();
    let (_served, _connection, mut wire) = fixture(&log).await;
    wire.write_together(&requests("t/note", 2)).await;
    for n in 0..2 {
        let answer = wire.read().await;
        assert_eq!((&answer["id"], &answer["payload"]["output"]["n"]), (&json!(format!("c{n}")), &json!(n)));
    }
    let expected =
        ["admitted 0", "admitted 1", "flushed", "ran 0", "finished OK", "ran 1", "finished OK", "flushed"];
    assert_eq!(log.journal(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_arrives_alone_is_recorded_alone() {
    let log = Gathering::default();
    let (_served, _connection, mut wire) = fixture(&log).await;
    wire.write(&request(0, "t/note")).await;
    wire.read().await;
    assert_eq!(log.journal(), ["admitted 0", "ran 0", "finished OK"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_its_record_too() {
    let log = Gathering::default();
    let (_served, _connection, mut wire) = fixture(&log).await;
    wire.write_together(&requests("t/nothing", 2)).await;
    for _ in 0..2 {
        assert_eq!(wire.read().await["payload"]["code"], "NOT_FOUND");
    }
    assert_eq!(log.journal(), ["refused absent", "refused absent", "flushed"]);
}

/// More than are begun before the first ones run, and calls that do not end where they were begun.
#[tokio::test(start_paused = true)]
async fn many_calls_are_all_recorded_before_they_run_and_answered_once() {
    for operation in ["t/note", "t/waits"] {
        let log = Gathering::default();
        let (_served, _connection, mut wire) = fixture(&log).await;
        wire.write_together(&requests(operation, 300)).await;
        let mut answered = BTreeSet::new();
        for _ in 0..300 {
            let answer = wire.read().await;
            assert!(answered.insert(answer["payload"]["output"]["n"].as_u64().unwrap()), "{answer}");
        }
        let journal = log.journal();
        let (mut unwritten, mut flushes) = (BTreeSet::new(), 0);
        for line in &journal {
            match line.split_once(' ') {
                Some(("admitted", n)) => assert!(unwritten.insert(n)),
                Some(("ran", n)) => assert!(!unwritten.contains(n), "{n} ran before it was recorded"),
                Some(_) => {}
                None => {
                    unwritten.clear();
                    flushes += 1;
                }
            }
        }
        assert!(unwritten.is_empty());
        assert!((2..300).contains(&flushes), "{operation}: {flushes}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_recorded_does_not_run() {
    let log = Gathering::failing_after(0);
    let (_served, _connection, mut wire) = fixture(&log).await;
    wire.write_together(&requests("t/note", 2)).await;
    for n in 0..2 {
        let answer = wire.read().await;
        let said = (&answer["id"], &answer["payload"]["code"], &answer["payload"]["retryable"]);
        assert_eq!(said, (&json!(format!("c{n}")), &json!("INTERNAL"), &json!(true)));
    }
    let journal = log.journal();
    assert!(!journal.iter().any(|line| line.starts_with("ran")), "{journal:?}");
    // What the log holds in memory gets an outcome: should it be written later, it says that neither ran.
    assert_eq!(journal.iter().filter(|line| *line == "finished CANCELLED").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_not_recorded_does_not_leave() {
    let log = Gathering::failing_after(1);
    let (_served, _connection, mut wire) = fixture(&log).await;
    wire.write_together(&requests("t/note", 2)).await;
    assert_eq!(wire.read_or_end().await, None);
    assert_eq!(log.journal().last().unwrap(), "not flushed");
}

#[tokio::test(start_paused = true)]
async fn an_abort_that_arrives_with_its_call_is_in_time() {
    let log = Gathering::default();
    let (_served, _connection, mut wire) = fixture(&log).await;
    let abort = json!({ "type": "call.aborted", "id": "c0", "payload": {} });
    wire.write_together(&[request(0, "t/note"), request(1, "t/note"), abort]).await;
    assert_eq!(wire.read().await["id"], "c1");
    let journal = log.journal();
    assert!(!journal.contains(&"ran 0".to_owned()), "{journal:?}");
    assert!(journal.contains(&"finished CANCELLED".to_owned()), "{journal:?}");
}
