//! The fixture host in this process, and the ways that lead to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alknet_call::{
    CallError, CallOptions, Client, Dispatcher, Limits, Link, NoAudit, Registration, Registry,
};
use alknet_conformance::{Identities, Node, NodeOptions, PeerOption};
use alknet_core::{
    ALPN_CALL, AuthContext, BidiSource, Connection, Drain, Ed25519SecretKey, Fingerprint, HandlerError,
    IdentityProvider, RecvStream, Secret, SendStream, StreamError, SystemClock,
};
use alknet_net::{Dialer, over_unix};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
use tokio_util::sync::CancellationToken;

use crate::support::soon;

/// How a peer reaches the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// QUIC on loopback.
    Quic,
    /// iroh on loopback.
    Iroh,
    /// Many streams, in memory.
    Pipe,
    /// One stream: a Unix socket.
    Unix,
}

pub(crate) const WAYS: [Way; 4] = [Way::Quic, Way::Iroh, Way::Pipe, Way::Unix];

/// The peers that the host knows by their keys, and whose operations it can compose.
pub(crate) const PEERS: [&str; 2] = ["W1", "W2"];

/// The fixture host.
pub(crate) struct Host {
    pub(crate) way: Way,
    pub(crate) dispatcher: Dispatcher,
    identities: Arc<dyn IdentityProvider>,
    node: Option<Node>,
    // Their sockets go with them.
    dialers: Mutex<Vec<Dialer>>,
    links: Mutex<JoinSet<Result<(), HandlerError>>>,
}

/// The key of a peer: the same for every test.
pub(crate) fn key_of(peer: &str) -> Ed25519SecretKey {
    let mut seed = [7; 32];
    seed[..peer.len()].copy_from_slice(peer.as_bytes());
    Ed25519SecretKey::from_bytes(&seed)
}

fn known_peers() -> Vec<PeerOption> {
    let option = |peer: &str| format!("{peer}={}", Fingerprint::from(&key_of(peer).public())).parse();
    PEERS.iter().map(|peer| option(peer).unwrap()).collect()
}

impl Host {
    pub(crate) async fn new(way: Way) -> Self {
        Self::with(way, Limits::default(), Vec::new()).await
    }

    /// A host with other limits, and with more operations.
    pub(crate) async fn with(way: Way, limits: Limits, more: Vec<Registration>) -> Self {
        let dispatcher = alknet_conformance::dispatcher(limits, more).unwrap();
        let identities: Arc<dyn IdentityProvider> = Arc::new(Identities::new(&known_peers()).unwrap());
        let node = match way {
            Way::Quic | Way::Iroh => {
                let options = NodeOptions {
                    listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                    call_timeout: Duration::from_secs(30),
                    peers: Vec::new(),
                    iroh: way == Way::Iroh,
                };
                let (dispatcher, identities) = (dispatcher.clone(), Arc::clone(&identities));
                Some(Node::serving(dispatcher, identities, &options).await.unwrap())
            }
            Way::Pipe | Way::Unix => None,
        };
        Self { way, dispatcher, identities, node, dialers: Mutex::default(), links: Mutex::default() }
    }

    /// A connection that shows this key, or none.
    pub(crate) async fn connect(&self, key: Option<Ed25519SecretKey>) -> Connection {
        let Some(node) = &self.node else { return self.link(key).0 };
        let dialer = Dialer::new(key);
        let dialed = async {
            if self.way == Way::Iroh {
                return dialer.dial_iroh(&node.public_key(), node.iroh_addrs(), None, ALPN_CALL).await;
            }
            dialer.dial_quic(node.addr().unwrap(), &node.fingerprint(), ALPN_CALL).await
        };
        let connection = soon("a connection", dialed).await.unwrap();
        self.dialers.lock().unwrap().push(dialer);
        connection
    }

    /// A connection in this process, and the host's side of it.
    pub(crate) fn link(&self, key: Option<Ed25519SecretKey>) -> (Connection, Link) {
        let (ours, theirs) = match self.way {
            Way::Pipe => pipe(),
            Way::Unix => unix(),
            Way::Quic | Way::Iroh => panic!("the host's side of QUIC is the node's"),
        };
        let fingerprint = key.map(|key| Fingerprint::from(&key.public()));
        let auth = AuthContext { fingerprint, ..AuthContext::default() };
        let link = Link::accepted(ours, auth, self.dispatcher.clone(), Arc::clone(&self.identities));
        let running = link.clone();
        self.links.lock().unwrap().spawn(async move {
            let ended = running.run(Drain::new().signal()).await;
            running.connection().close(0, "done");
            ended
        });
        (theirs, link)
    }

    pub(crate) async fn client(&self) -> Client {
        Client::new(self.connect(None).await, Limits::default())
    }

    /// A client that shows a known peer's key and serves these operations.
    pub(crate) async fn worker(&self, peer: &str, operations: Vec<Registration>) -> Client {
        worker(self.connect(Some(key_of(peer))).await, operations)
    }

    /// What has become of the runs of trees, as `started finished cancelled`.
    pub(crate) async fn runs(&self) -> String {
        let counted = self.dispatcher.call(None, "t/counters", json!({})).await.unwrap();
        format!("{} {} {}", counted["started"], counted["finished"], counted["cancelled"])
    }
}

/// A client over a connection, which serves these operations.
pub(crate) fn worker(connection: Connection, operations: Vec<Registration>) -> Client {
    let registry = Registry::builder().register_all(operations).unwrap();
    let registry = alknet_call::with_discovery(registry).unwrap().build();
    let dispatcher = Dispatcher::new(registry, Arc::new(NoAudit), Limits::default(), Arc::new(SystemClock));
    let nobody = Arc::new(Identities::new(&[]).unwrap());
    Client::serving(connection, AuthContext::default(), dispatcher, nobody)
}

/// Options with a token.
pub(crate) fn token(token: &str) -> CallOptions {
    CallOptions { auth_token: Some(Secret::new(token.to_owned())), ..CallOptions::default() }
}

/// What a call came to: its output, or its code.
pub(crate) fn came_to(result: Result<Value, CallError>) -> String {
    match result {
        Ok(output) => format!("OK {output}"),
        Err(error) => error.code().to_string(),
    }
}

/// A call with these options.
pub(crate) async fn called(
    client: &Client,
    operation: &str,
    input: Value,
    options: &CallOptions,
) -> Result<Value, CallError> {
    soon(operation, client.call_with(operation, &input, options)).await
}

/// A call and what it came to.
pub(crate) async fn call(client: &Client, operation: &str, input: &Value) -> String {
    came_to(soon(operation, client.call(operation, input)).await)
}

/// Both ends of a Unix socket.
pub(super) fn unix() -> (Connection, Connection) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    (over_unix(ours, ALPN_CALL).unwrap(), over_unix(theirs, ALPN_CALL).unwrap())
}

fn halves(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> (SendStream, RecvStream) {
    let (recv, send) = tokio::io::split(stream);
    (SendStream::new(send.compat_write()), RecvStream::new(recv.compat()))
}

/// One end of such a connection.
struct Pipe {
    incoming: AsyncMutex<mpsc::Receiver<(SendStream, RecvStream)>>,
    outgoing: mpsc::Sender<(SendStream, RecvStream)>,
    closed: CancellationToken,
}

/// Both ends of a connection with many streams, in memory.
pub(super) fn pipe() -> (Connection, Connection) {
    let ((to_b, at_b), (to_a, at_a)) = (mpsc::channel(16), mpsc::channel(16));
    let closed = CancellationToken::new();
    let end = |incoming, outgoing| {
        let source = Pipe { incoming: AsyncMutex::new(incoming), outgoing, closed: closed.clone() };
        Connection::new(source, ALPN_CALL.to_vec())
    };
    (end(at_a, to_b), end(at_b, to_a))
}

#[async_trait]
impl BidiSource for Pipe {
    async fn accept_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        let mut incoming = self.incoming.lock().await;
        let next = self.closed.run_until_cancelled(incoming.recv()).await;
        next.flatten().ok_or(StreamError::ConnectionClosed)
    }

    async fn open_bi(&self) -> Result<(SendStream, RecvStream), StreamError> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let sent = self.closed.run_until_cancelled(self.outgoing.send(halves(theirs))).await;
        sent.and_then(Result::ok).ok_or(StreamError::ConnectionClosed)?;
        Ok(halves(ours))
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn close(&self, _: u32, _: &str) {
        self.closed.cancel();
    }
}
