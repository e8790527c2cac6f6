//! Fixtures: authorities, registrations, an audit sink that remembers, in-memory connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use alknet_call::{
    AccessControl, AuditSink, AuditUnavailable, Authority, CallFacts, Composition, Decision, Dispatcher,
    Handler, Limits, NoAudit, OpName, OperationKind, OperationSpec, Outcome, PeerChange, Reach, Recorded,
    Registration, Registry, handler_fn,
};
use alknet_core::{
    AuthToken, BidiSource, Connection, Fingerprint, Grants, Identity, IdentityId, IdentityProvider,
    RecvStream, Scope, SendStream, StreamError, SystemClock,
};
use async_trait::async_trait;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
use tokio_util::sync::CancellationToken;

pub(crate) fn name(text: &str) -> OpName {
    OpName::parse(text).unwrap()
}

pub(crate) fn grants(scopes: &[&str]) -> Grants {
    Grants::from_scopes(scopes.iter().map(|scope| Scope::parse(scope).unwrap()))
}

pub(crate) fn identity(id: &str, scopes: &[&str]) -> Identity {
    Identity::new(IdentityId::parse(id).unwrap(), grants(scopes))
}

pub(crate) fn composition(scopes: &[&str], env: &[&str]) -> Composition {
    let authority = Authority::new(IdentityId::parse("composer").unwrap(), grants(scopes));
    Composition::new(authority, Reach::of(env.iter().map(|n| name(n))))
}

pub(crate) fn spec(op: &str) -> OperationSpec {
    OperationSpec::new(name(op), OperationKind::Query)
}

pub(crate) fn requiring(op: &str, scope: &str) -> OperationSpec {
    spec(op).access(AccessControl::scope(Scope::parse(scope).unwrap()))
}

/// Answers its input.
pub(crate) fn echo() -> impl Handler {
    handler_fn(|input, _| async move { Ok(input) })
}

/// Answers a constant.
pub(crate) fn constant(text: &'static str) -> impl Handler {
    handler_fn(move |_, _| async move { Ok(json!(text)) })
}

/// Composes `input.op` with `input.input`.
pub(crate) fn compose_named() -> impl Handler {
    handler_fn(|input: Value, scope| async move {
        let op = input["op"].as_str().unwrap_or_default().to_owned();
        scope.invoke(&op, input["input"].clone()).await
    })
}

pub(crate) fn dispatcher(registrations: Vec<Registration>) -> Dispatcher {
    dispatcher_with(registrations, Arc::new(NoAudit), Limits::default())
}

pub(crate) fn dispatcher_with(
    registrations: Vec<Registration>,
    audit: Arc<dyn AuditSink>,
    limits: Limits,
) -> Dispatcher {
    let registry = Registry::builder().register_all(registrations).unwrap();
    let registry = alknet_call::with_discovery(registry).unwrap().build();
    Dispatcher::new(registry, audit, limits, Arc::new(SystemClock))
}

/// One whose records nobody looks at.
pub(crate) fn host_of(registrations: Vec<Registration>, limits: Limits) -> Dispatcher {
    dispatcher_with(registrations, Arc::new(MemoryAudit::default()), limits)
}

/// Remembers every record as a line; can be told to fail.
#[derive(Debug, Default)]
pub(crate) struct MemoryAudit {
    lines: Mutex<Vec<String>>,
    pub(crate) fail_decisions: std::sync::atomic::AtomicBool,
}

impl MemoryAudit {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl AuditSink for MemoryAudit {
    fn decided(&self, call: &CallFacts<'_>, decision: &Decision<'_>) -> Recorded {
        if self.fail_decisions.load(std::sync::atomic::Ordering::SeqCst) {
            return Recorded::Failed(AuditUnavailable);
        }
        let authority = call.authority.map_or("-", IdentityId::as_str);
        let said = match decision {
            Decision::Admitted { .. } => "admitted".to_owned(),
            Decision::Refused { reason, code } => format!("refused {reason} {code}"),
        };
        self.lines.lock().unwrap().push(format!("{} {authority} {said}", call.operation));
        Recorded::Done
    }

    fn finished(&self, call: &CallFacts<'_>, outcome: &Outcome<'_>) -> Recorded {
        let code = outcome.result.map_or_else(ToString::to_string, |_| "OK".to_owned());
        self.lines.lock().unwrap().push(format!("{} finished {code}", call.operation));
        Recorded::Done
    }

    fn peer_changed(&self, peer: &IdentityId, change: &PeerChange<'_>) -> Recorded {
        if self.fail_decisions.load(std::sync::atomic::Ordering::SeqCst) {
            return Recorded::Failed(AuditUnavailable);
        }
        let said = match change {
            PeerChange::Offered(names) => format!("offers {} too", names.join(" ")),
            PeerChange::Replaced(names) => format!("offers {}", names.join(" ")),
            PeerChange::Left => "left".to_owned(),
        };
        self.lines.lock().unwrap().push(format!("{peer} {said}"));
        Recorded::Done
    }
}

/// Tokens `alice` (scope admin), `bob` (no scope) and `worker` (may announce operations) are identities.
pub(crate) struct Tokens;

impl IdentityProvider for Tokens {
    fn resolve_from_fingerprint(&self, _: &Fingerprint) -> Option<Identity> {
        None
    }
    fn resolve_from_token(&self, token: &AuthToken) -> Option<Identity> {
        match token.as_bytes() {
            b"alice" => Some(identity("alice", &["admin"])),
            b"bob" => Some(identity("bob", &[])),
            b"worker" => Some(identity("worker", &["op:register"])),
            _ => None,
        }
    }
}

struct Pipe {
    incoming: AsyncMutex<mpsc::Receiver<DuplexStream>>,
    outgoing: mpsc::Sender<DuplexStream>,
    closed: CancellationToken,
}

/// Two ends of a connection with many streams, in memory.
pub(crate) fn pipe() -> (Connection, Connection) {
    let (to_b, at_b) = mpsc::channel(16);
    let (to_a, at_a) = mpsc::channel(16);
    let closed = CancellationToken::new();
    let end = |incoming, outgoing| {
        let source = Pipe { incoming: AsyncMutex::new(incoming), outgoing, closed: closed.clone() };
        Connection::new(source, b"alknet/call".to_vec())
    };
    (end(at_a, to_b), end(at_b, to_a))
}

/// Two ends of a connection with a single stream, in memory.
pub(crate) fn single_pipe() -> (Connection, Connection) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let single = |stream| {
        let (send, recv) = halves(stream);
        Connection::from_stream(send, recv, b"alknet/call".to_vec(), None)
    };
    (single(ours), single(theirs))
}

/// A stream on which frames are written and read by hand.
pub(crate) struct Wire {
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
}

impl Wire {
    pub(crate) fn new((send, recv): (SendStream, RecvStream)) -> Self {
        Self { send, recv }
    }

    pub(crate) async fn write(&mut self, event: &Value) {
        self.write_together(std::slice::from_ref(event)).await;
    }

    /// Writes frames that arrive at once.
    pub(crate) async fn write_together(&mut self, events: &[Value]) {
        let mut frames = Vec::new();
        for event in events {
            let body = event.to_string();
            frames.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
            frames.extend_from_slice(body.as_bytes());
        }
        self.send.write_all(&frames).await.unwrap();
        self.send.flush().await.unwrap();
    }

    pub(crate) async fn request(&mut self, id: &str, op: &str, input: Value, more: Value) {
        let mut payload = json!({ "operationId": op, "input": input });
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.write(&json!({ "type": "call.requested", "id": id, "payload": payload })).await;
    }

    pub(crate) async fn read(&mut self) -> Value {
        self.read_or_end().await.expect("the stream ended")
    }

    /// The next frame, `None` once the stream has ended.
    pub(crate) async fn read_or_end(&mut self) -> Option<Value> {
        let mut header = [0; 4];
        self.recv.read_exact(&mut header).await.ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
        self.recv.read_exact(&mut body).await.unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }
}

/// Lets others run until it is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waited).await.expect("it never became so");
}

/// A raw stream to a peer behind [`pipe`], for speaking bytes to it.
pub(crate) fn halves(stream: DuplexStream) -> (SendStream, RecvStream) {
    let (recv, send) = tokio::io::split(stream);
    (SendStream::new(send.compat_write()), RecvStream::new(recv.compat()))
}

#[async_trait]
impl BidiSource for Pipe {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        let mut incoming = self.incoming.lock().await;
        tokio::select! {
            stream = incoming.recv() => stream.map(halves).ok_or(StreamError::ConnectionClosed),
            () = self.closed.cancelled() => Err(StreamError::ConnectionClosed),
        }
    }
    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        if self.closed.is_cancelled() {
            return Err(StreamError::ConnectionClosed);
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.outgoing.send(theirs).await.map_err(|_| StreamError::ConnectionClosed)?;
        Ok(halves(ours))
    }
    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }
    fn close(&self, _: u32, _: &str) {
        self.closed.cancel();
    }
}
