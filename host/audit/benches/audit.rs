//! Records per second of the log: appended with each durability, and verified. One thread appends unless said
//! otherwise; every append includes the keyed digest of a 200 byte value, formatting, hashing and the write.

#![expect(clippy::print_stdout, clippy::panic, reason = "a benchmark prints, and stops when it cannot go on")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use alknet_audit::{AuditLog, AuditReader, Durability, Filter, Options, Page, VerifyOptions, verify};
use alknet_call::{
    Answered, AuditSink, CallFacts, CallId, Decision, Due, LayerKind, NoAudit, Outcome, Provenance, Recorded,
};
use alknet_core::{Ed25519SecretKey, IdentityId, SystemClock};
use serde_json::{Value, json};
use tokio::time::Instant;

type Failure = Box<dyn std::error::Error>;

/// Calls of one run: two records each, a million in all.
const CALLS: u32 = 500_000;
/// Calls in flight where many wait for one sync.
const IN_FLIGHT: u32 = 64;

struct Caller {
    id: IdentityId,
    session: Arc<str>,
    value: Value,
}

impl Caller {
    fn new() -> Result<Self, Failure> {
        let text = "x".repeat(150);
        Ok(Self {
            id: IdentityId::parse("alice")?,
            session: Arc::from("f00dfeedf00dfeedf00dfeedf00dfeed"),
            value: json!({ "path": "docs", "offset": 12, "text": text, "more": true }),
        })
    }

    fn facts(&self, id: CallId, root: CallId) -> CallFacts<'_> {
        CallFacts {
            id,
            parent: Some(root),
            root,
            operation: "fs/read",
            caller: Some(&self.id),
            authority: Some(&self.id),
            session: Some(&self.session),
            layer: Some(LayerKind::Curated),
            peer: None,
            provenance: Some(Provenance::Local),
            source_digest: None,
            due: Due::Now,
        }
    }

    /// The two records of a call, each durable when this returns.
    fn call(&self, sink: &impl AuditSink, wait: &impl Fn(Recorded)) {
        let id = CallId::next();
        let facts = self.facts(id, id);
        wait(sink.decided(&facts, &Decision::Admitted { input: &self.value }));
        let duration = Duration::from_micros(26);
        wait(sink.finished(&facts, &Outcome { result: Ok(Answered::Value(&self.value)), duration }));
    }
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let key = Ed25519SecretKey::generate()?;
    let caller = Caller::new()?;
    let dir = tempfile::tempdir()?;

    let done = |recorded: Recorded| assert!(matches!(recorded, Recorded::Done), "{recorded:?}");
    let null = micros_per_call(CALLS, || caller.call(&NoAudit, &done));
    let log = AuditLog::open(dir.path(), Options::new(key.clone(), Arc::new(SystemClock)))?;
    let busy = cpu_micros();
    let os = micros_per_call(CALLS, || caller.call(&log, &done));
    let cpu = (cpu_micros() - busy) / f64::from(CALLS);
    let mut samples =
        (0..20_000).map(|_| micros_per_call(1, || caller.call(&log, &done))).collect::<Vec<_>>();
    samples.sort_by(f64::total_cmp);
    println!(
        "append os: {:.0} records/s, {os:.2} us a call, {cpu:.2} us of them computing (null sink {null:.2} us)",
        2e6 / os
    );
    println!(
        "append os: p10 {:.2} us, p50 {:.2} us, p99 {:.2} us a call",
        samples[2_000], samples[10_000], samples[19_800]
    );
    log.close()?;

    let report = verify(dir.path(), &VerifyOptions { key: Some(key.public()), checkpoint: None })?;
    let verified = f64::from(u32::try_from(report.records)?) / report.elapsed.as_secs_f64();
    let bytes = f64::from(u32::try_from(report.bytes)?) / f64::from(u32::try_from(report.records)?);
    println!(
        "verify: {} records, {} bytes, in {:?}, {verified:.0} records/s",
        report.records, report.bytes, report.elapsed
    );
    let start = Instant::now();
    let reader = AuditReader::open(dir.path())?;
    reader.query(&Filter::default(), &Page::default())?;
    println!(
        "index: {:.0} records/s",
        f64::from(u32::try_from(report.records)?) / start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    drop(AuditLog::open(dir.path(), Options::new(key.clone(), Arc::new(SystemClock)))?);
    println!("open and close: {:?}", start.elapsed());

    let disk_dir = tempfile::tempdir()?;
    let options = Options { durability: Durability::Disk, ..Options::new(key, Arc::new(SystemClock)) };
    let disk_log = AuditLog::open(disk_dir.path(), options)?;
    let waited = |recorded: Recorded| match recorded {
        Recorded::Pending(pending) => assert!(runtime.block_on(pending).is_ok()),
        other => panic!("{other:?}"),
    };
    let single = micros_per_call(200, || caller.call(&disk_log, &waited));
    let many = group_commit(&caller, &disk_log)?;
    let (one, group) = (2e6 / single, 2e6 / many);
    println!("append disk: {one:.0} records/s one at a time, {group:.0} with {IN_FLIGHT} in flight");

    let mut met = bar("audit_append_os_us_per_call", samples[10_000], "<=", 2.6);
    met &= bar("audit_hash_and_format_records_per_s", 2e6 / cpu, ">=", 500_000.0);
    met &= bar("audit_verify_records_per_s", verified, ">=", 200_000.0);
    met &= bar("audit_record_bytes", bytes, "<=", 600.0);
    met &= bar("audit_disk_64_to_single", group / one, ">=", 50.0);
    println!("{}", if met { "all bars met" } else { "not all bars met" });
    Ok(())
}

fn micros_per_call(calls: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// Time this thread has been running, where the system tells (Linux): on a shared machine it says more than the
/// time that passed.
fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e3
}

/// Every call waits for its own records, [`IN_FLIGHT`] of them at a time.
fn group_commit(caller: &Caller, log: &AuditLog) -> Result<f64, Failure> {
    let rounds = 400;
    let start = Instant::now();
    thread::scope(|scope| {
        let worker = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.map(|runtime| {
                runtime.block_on(async {
                    let tasks = tokio::task::LocalSet::new();
                    let calls = (0..IN_FLIGHT / 2).map(|_| run_calls(caller, log, rounds));
                    tasks.run_until(join_all(calls.map(Box::pin).collect())).await;
                });
            })
        };
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        for worker in workers {
            worker.join().map_err(|_| "a worker failed")??;
        }
        Ok::<(), Failure>(())
    })?;
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds * IN_FLIGHT))
}

async fn run_calls(caller: &Caller, log: &AuditLog, rounds: u32) {
    for _ in 0..rounds {
        let id = CallId::next();
        let facts = caller.facts(id, id);
        settle(log.decided(&facts, &Decision::Admitted { input: &caller.value })).await;
        let duration = Duration::from_micros(26);
        settle(log.finished(&facts, &Outcome { result: Ok(Answered::Value(&caller.value)), duration })).await;
    }
}

async fn settle(recorded: Recorded) {
    match recorded {
        Recorded::Pending(pending) => assert!(pending.await.is_ok()),
        other => panic!("{other:?}"),
    }
}

/// Polls all futures until all are done.
async fn join_all<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(|context| {
        futures.retain_mut(|future| std::pin::Pin::new(future).poll(context).is_pending());
        if futures.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

fn bar(name: &str, value: f64, relation: &str, limit: f64) -> bool {
    let ok = if relation == "<=" { value <= limit } else { value >= limit };
    println!("bar {name} {value:.2} {relation}{limit} {}", if ok { "ok" } else { "short" });
    ok
}
