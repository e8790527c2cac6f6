//! One call over QUIC against a raw echo of the same bytes, on loopback, in one process and one run.
//!
//! The call includes everything a user gets: envelope parsing, identity, the gate, access control, the input
//! schema, two records in the audit log (durability `os`), and the reply. Beside it the same with a sink that only
//! counts, which shows what the log costs. `cargo bench -p alknet-call --bench quic`.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alknet_audit::{AuditLog, Options};
use alknet_call::{
    AuditSink, CallAdapter, CallFacts, Client, Decision, Dispatcher, Limits, OpName, OperationKind,
    OperationSpec, Outcome, Recorded, Registration, Registry, Schema, handler_fn,
};
use alknet_core::{
    ALPN_CALL, AuthContext, ConfigIdentityProvider, Connection, Directory, DrainSignal, Ed25519SecretKey,
    Fingerprint, HandlerError, HandlerRegistry, ProtocolHandler, SystemClock,
};
use alknet_net::{Dialer, Endpoint, EndpointConfig, QuicConfig};
use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

const RAW: &[u8] = b"bench/raw";
const SEQUENTIAL: usize = 5000;
const CONCURRENT: usize = 40_000;

/// Counts records: the price of the calls to a sink without the price of a log.
#[derive(Default)]
struct Counting(AtomicU64);

impl AuditSink for Counting {
    fn decided(&self, _: &CallFacts<'_>, _: &Decision<'_>) -> Recorded {
        self.0.fetch_add(1, Ordering::Relaxed);
        Recorded::Done
    }
    fn finished(&self, _: &CallFacts<'_>, _: &Outcome<'_>) -> Recorded {
        self.0.fetch_add(1, Ordering::Relaxed);
        Recorded::Done
    }
}

/// Sends every byte back.
struct RawEcho;

#[async_trait]
impl ProtocolHandler for RawEcho {
    fn alpn(&self) -> &'static [u8] {
        RAW
    }
    async fn handle(&self, peer: Connection, _: &AuthContext, _: DrainSignal) -> Result<(), HandlerError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let (mut send, mut recv) = peer.accept_bi().await?;
            while let Ok(read @ 1..) = recv.read(&mut buffer).await {
                let bytes = buffer.get(..read).unwrap_or_default();
                send.write_all(bytes).await.map_err(HandlerError::StreamError)?;
            }
        }
    }
}

/// 200 bytes of JSON.
fn payload() -> Value {
    json!({
        "id": 1234567, "name": "a name of ordinary length", "kind": "file", "bytes": 48213, "ratio": 0.25,
        "path": "src/somewhere/deep/inside/module.rs", "tags": ["alpha", "beta"], "ok": true, "note": "0123456789",
    })
}

fn dispatcher(audit: Arc<dyn AuditSink>) -> Result<Dispatcher, Box<dyn Error>> {
    let schema = json!({
        "type": "object", "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "kind": {"enum": ["file", "directory"]},
            "bytes": {"type": "integer"}, "ratio": {"type": "number"}, "path": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}}, "ok": {"type": "boolean"},
            "note": {"type": "string", "maxLength": 100},
        },
    });
    let spec = OperationSpec::new(OpName::parse("bench/echo")?, OperationKind::Query)
        .input(Schema::compile(schema, 1 << 16)?);
    let echo = Registration::local(spec, handler_fn(|input, _| async move { Ok(input) }));
    let registry = Registry::builder().register(echo)?.build();
    let clock = Arc::new(SystemClock);
    Ok(Dispatcher::new(registry, audit, Limits::default(), clock))
}

struct Percentiles {
    p50: f64,
    p99: f64,
}

fn percentiles(mut times: Vec<Duration>) -> Percentiles {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |t| t.as_secs_f64() * 1e6);
    Percentiles { p50: at(50), p99: at(99) }
}

async fn raw_sequential(connection: &Connection, bytes: usize) -> Result<Percentiles, Box<dyn Error>> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let (request, mut reply) = (vec![b'x'; bytes], vec![0; bytes]);
    let mut times = Vec::with_capacity(SEQUENTIAL);
    for _ in 0..SEQUENTIAL {
        let begun = Instant::now();
        send.write_all(&request).await?;
        recv.read_exact(&mut reply).await?;
        times.push(begun.elapsed());
    }
    Ok(percentiles(times))
}

async fn calls_sequential(client: &Client, input: &Value) -> Result<Percentiles, Box<dyn Error>> {
    let mut times = Vec::with_capacity(SEQUENTIAL);
    for _ in 0..SEQUENTIAL {
        let begun = Instant::now();
        client.call("bench/echo", input).await?;
        times.push(begun.elapsed());
    }
    Ok(percentiles(times))
}

async fn calls_concurrent(client: &Client, input: &Value, in_flight: usize) -> Result<f64, Box<dyn Error>> {
    let begun = Instant::now();
    let mut running: FuturesUnordered<_> = (0..in_flight).map(|_| client.call("bench/echo", input)).collect();
    for done in 0..CONCURRENT {
        running.next().await.ok_or("no call is running")??;
        if done + in_flight < CONCURRENT {
            running.push(client.call("bench/echo", input));
        }
    }
    Ok(f64::from(u32::try_from(CONCURRENT)?) / begun.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<dyn Error>> {
    // One worker for each side, as two hosts would have.
    let build = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (server, client) = (build()?, build()?);
    let folder = tempfile::tempdir()?;
    let log =
        AuditLog::open(folder.path(), Options::new(Ed25519SecretKey::generate()?, Arc::new(SystemClock)))?;
    let counted = server.block_on(endpoint(Arc::new(Counting::default())))?;
    let audited = server.block_on(endpoint(Arc::new(log.clone())))?;
    let measured =
        client.spawn(async move { run(counted, audited).await.map_err(|error| error.to_string()) });
    client.block_on(measured)??;
    log.close()?;
    Ok(())
}

async fn endpoint(audit: Arc<dyn AuditSink>) -> Result<Endpoint, Box<dyn Error>> {
    let clock = Arc::new(SystemClock);
    let identities = Arc::new(ConfigIdentityProvider::new(Directory::default(), clock));
    let adapter = CallAdapter::new(dispatcher(audit)?, identities.clone());
    let handlers = adapter.register(HandlerRegistry::builder())?.register(Arc::new(RawEcho))?.build();
    let mut config = EndpointConfig::new(Ed25519SecretKey::generate()?, handlers, identities);
    config.quic = Some(QuicConfig { listen: "127.0.0.1:0".parse()? });
    Ok(Endpoint::bind(config).await?)
}

async fn dial(dialer: &Dialer, endpoint: &Endpoint, alpn: &[u8]) -> Result<Connection, Box<dyn Error>> {
    let addr = endpoint.quic_addr().ok_or("no address")?;
    Ok(dialer.dial_quic(addr, &Fingerprint::from(&endpoint.public_key()), alpn).await?)
}

async fn run(counted: Endpoint, audited: Endpoint) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let dialer = Dialer::new(None);
    let raw = dial(&dialer, &audited, RAW).await?;
    let counting = Client::new(dial(&dialer, &counted, ALPN_CALL).await?, Limits::default());
    let client = Client::new(dial(&dialer, &audited, ALPN_CALL).await?, Limits::default());
    let input = payload();
    let frame_bytes = input.to_string().len() + 90;
    calls_sequential(&client, &input).await?;
    raw_sequential(&raw, frame_bytes).await?;
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let base = raw_sequential(&raw, frame_bytes).await?;
        let without = calls_sequential(&counting, &input).await?;
        let call = calls_sequential(&client, &input).await?;
        writeln!(
            out,
            "raw echo p50 {:.1} us p99 {:.1} us | call p50 {:.1} us p99 {:.1} us | without a log p50 {:.1} us p99 {:.1} us",
            base.p50, base.p99, call.p50, call.p99, without.p50, without.p99
        )?;
        ratios.push(call.p50 / base.p50);
        costs.push((call.p50 / without.p50 - 1.0) * 100.0);
    }
    for in_flight in [1, 16, 64, 256] {
        let rate = calls_concurrent(&client, &input, in_flight).await?;
        writeln!(out, "{in_flight} in flight: {rate:.0} calls/s")?;
    }
    for (name, mut rounds, limit) in
        [("call_p50_over_raw_quic", ratios, 1.3), ("audit_cost_on_call_p50_percent", costs, 10.0)]
    {
        rounds.sort_by(f64::total_cmp);
        let median = rounds.get(rounds.len() / 2).copied().unwrap_or(f64::INFINITY);
        writeln!(out, "bar {name} {median:.2} {limit} {}", if median <= limit { "ok" } else { "short" })?;
    }
    client.close().await;
    counting.close().await;
    Ok(())
}
