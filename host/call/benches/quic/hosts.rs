//! The two ends: endpoints that serve the operation in each way, and clients of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alknet_audit::{AuditLog, Options};
use alknet_call::{
    AuditSink, CallAdapter, CallFacts, Client, Decision, Dispatcher, Limits, OpName, OperationKind,
    OperationSpec, Recorded, Registration, Registry, Schema, handler_fn,
};
use alknet_core::{
    ALPN_CALL, AuthContext, ConfigIdentityProvider, Connection, Directory, DrainSignal, Ed25519SecretKey,
    Fingerprint, HandlerError, HandlerRegistry, ProtocolHandler, RecvStream, SendStream, SystemClock,
};
use alknet_net::{Dialer, Endpoint, EndpointConfig, QuicConfig};
use async_trait::async_trait;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Outcome;
use crate::alk::{self, Alk, AlkServer};

pub(crate) const OPERATION: &str = "bench/echo";
const RAW: &[u8] = b"bench/raw";

/// Counts records: the price of the calls to a sink without the price of a log.
#[derive(Default)]
struct Counting(AtomicU64);

impl AuditSink for Counting {
    fn decided(&self, _: &CallFacts<'_>, _: &Decision<'_>) -> Recorded {
        self.0.fetch_add(1, Ordering::Relaxed);
        Recorded::Done
    }
    fn finished(&self, _: &CallFacts<'_>, _: &alknet_call::Outcome<'_>) -> Recorded {
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

/// About 200 bytes of JSON.
pub(crate) fn small_payload() -> Value {
    json!({
        "id": 1_234_567, "name": "a name of ordinary length", "kind": "file", "bytes": 48213, "ratio": 0.25,
        "path": "src/somewhere/deep/inside/module.rs", "tags": ["alpha", "beta"], "ok": true, "note": "0123456789",
    })
}

/// About 64 KiB of JSON, of which most is one text with lines.
pub(crate) fn large_payload() -> Value {
    let mut payload = small_payload();
    let line = "    let answer = compute(\"a name\", 42)?; // as source code has them\n";
    if let Some(members) = payload.as_object_mut() {
        members.insert("text".to_owned(), json!(line.repeat(910)));
    }
    payload
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object", "required": ["id", "name"],
        "properties": {
            "id": {"type": "integer"}, "name": {"type": "string"}, "kind": {"enum": ["file", "directory"]},
            "bytes": {"type": "integer"}, "ratio": {"type": "number"}, "path": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}}, "ok": {"type": "boolean"},
            "note": {"type": "string", "maxLength": 100}, "text": {"type": "string"},
        },
    })
}

fn dispatcher(audit: Arc<dyn AuditSink>) -> Outcome<Dispatcher> {
    let spec = OperationSpec::new(OpName::parse(OPERATION)?, OperationKind::Query)
        .input(Schema::compile(schema(), 1 << 16)?);
    let echo = Registration::local(spec, handler_fn(|input, _| async move { Ok(input) }));
    let never = OperationSpec::new(OpName::parse("bench/never")?, OperationKind::Query);
    let never = Registration::local(never, handler_fn(|_, _| std::future::pending()));
    let registry = Registry::builder().register(echo)?.register(never)?.build();
    Ok(Dispatcher::new(registry, audit, Limits::default(), Arc::new(SystemClock)))
}

/// The serving side.
pub(crate) struct Hosts {
    pub(crate) counted: Endpoint,
    audited: Endpoint,
    log: AuditLog,
    _folder: tempfile::TempDir,
    dialer: Dialer,
}

impl Hosts {
    pub(crate) async fn start() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let options = Options::new(Ed25519SecretKey::generate()?, Arc::new(SystemClock));
        let log = AuditLog::open(folder.path(), options)?;
        let counted = endpoint(Arc::new(Counting::default())).await?;
        let audited = endpoint(Arc::new(log.clone())).await?;
        Ok(Self { counted, audited, log, _folder: folder, dialer: Dialer::new(None) })
    }

    /// One client of each kind.
    pub(crate) async fn connect(&self) -> Outcome<Vec<Peer>> {
        let raw = self.dial(&self.audited, RAW).await?;
        let alk = self.dial(&self.audited, alk::ALPN).await?;
        Ok(vec![
            Peer::Raw(Box::new(Raw::open(raw).await?)),
            Peer::Ours(OURS, self.client(&self.audited).await?),
            Peer::Ours(OURS_COUNTED, self.client(&self.counted).await?),
            Peer::Alk(Alk::connect(alk).await?),
        ])
    }

    pub(crate) async fn client(&self, endpoint: &Endpoint) -> Outcome<Client> {
        Ok(Client::new(self.dial(endpoint, ALPN_CALL).await?, Limits::default()))
    }

    async fn dial(&self, endpoint: &Endpoint, alpn: &[u8]) -> Outcome<Connection> {
        let addr = endpoint.quic_addr().ok_or("no address")?;
        Ok(self.dialer.dial_quic(addr, &Fingerprint::from(&endpoint.public_key()), alpn).await?)
    }

    pub(crate) async fn stop(self) -> Outcome {
        self.dialer.close().await;
        self.counted.shutdown().await;
        self.audited.shutdown().await;
        Ok(self.log.close()?)
    }
}

async fn endpoint(audit: Arc<dyn AuditSink>) -> Outcome<Endpoint> {
    let identities = Arc::new(ConfigIdentityProvider::new(Directory::default(), Arc::new(SystemClock)));
    let adapter = CallAdapter::new(dispatcher(audit)?, identities.clone());
    let handlers = adapter.register(HandlerRegistry::builder())?.register(Arc::new(RawEcho))?;
    let handlers = handlers.register(Arc::new(AlkServer::new()?))?.build();
    let mut config = EndpointConfig::new(Ed25519SecretKey::generate()?, handlers, identities);
    config.rates.set(alknet_core::RateLimits { connections_per_ip_max: 1000 });
    config.quic = Some(QuicConfig { listen: "127.0.0.1:0".parse()? });
    Ok(Endpoint::bind(config).await?)
}

pub(crate) const RAW_NAME: &str = "raw echo";
pub(crate) const OURS: &str = "call";
pub(crate) const OURS_COUNTED: &str = "call without a log";
pub(crate) const ALK: &str = "alkcall 0.10.1";

/// A client of one kind.
pub(crate) enum Peer {
    Raw(Box<Raw>),
    Ours(&'static str, Client),
    Alk(Alk),
}

impl Peer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Raw(_) => RAW_NAME,
            Self::Ours(name, _) => name,
            Self::Alk(_) => ALK,
        }
    }

    /// One call; the raw echo sends as many bytes as the frame of a call has.
    pub(crate) async fn call(&self, input: &Value, frame: &[u8]) -> Outcome {
        match self {
            Self::Raw(raw) => raw.echo(frame).await,
            Self::Ours(_, client) => Ok(client.call(OPERATION, input).await.map(drop)?),
            Self::Alk(alk) => alk.call(input).await,
        }
    }

    pub(crate) async fn close(self) {
        if let Self::Ours(_, client) = self {
            client.close().await;
        }
    }
}

pub(crate) struct Raw {
    streams: Mutex<(SendStream, RecvStream)>,
    _connection: Connection,
}

impl Raw {
    async fn open(connection: Connection) -> Outcome<Self> {
        let streams = Mutex::new(connection.open_bi().await?);
        Ok(Self { streams, _connection: connection })
    }

    async fn echo(&self, frame: &[u8]) -> Outcome {
        let mut streams = self.streams.lock().await;
        let (send, recv) = &mut *streams;
        let mut reply = vec![0; frame.len()];
        let (sent, read) = futures_util::join!(send.write_all(frame), recv.read_exact(&mut reply));
        sent?;
        Ok(read?)
    }
}
