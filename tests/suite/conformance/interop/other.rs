//! The other implementation over this project's connections.

use std::net::SocketAddr;
use std::sync::Arc;

use alkcall::client::CallClient;
use alkcall::core::auth::NoopIdentityProvider;
use alkcall::core::types::{
    BiStream, BidiStreamSource, Capabilities, Connection as OtherConnection, ProtocolHandler as _,
    StreamError as OtherError,
};
use alkcall::protocol::adapter::CallAdapter;
use alkcall::protocol::connection::{CallConnection, split_single_stream};
use alkcall::protocol::dispatch::Dispatcher;
use alkcall::protocol::wire::{CallError, ResponseEnvelope};
use alkcall::registry::discovery::install_bootstrap_discovery;
use alkcall::registry::registration::{
    OperationRegistry, OperationRegistryBuilder, make_handler, make_sink_handler, make_streaming_handler,
};
use alkcall::registry::spec::{AccessControl, OperationSpec, OperationType, Visibility};
use alknet_core::{
    ALPN_CALL_ALIAS, AuthContext, Connection, DrainSignal, Ed25519SecretKey, Fingerprint, HandlerError,
    HandlerRegistry, ProtocolHandler, StreamError,
};
use alknet_net::{Dialer, Endpoint, EndpointConfig, IrohConfig, QuicConfig};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, FuturesAsyncWriteCompatExt as _};
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::TaskTracker;

use crate::conformance::ways::Way;

/// One side of a connection that the other implementation speaks: it calls, and it serves.
pub(crate) struct Other {
    pub(crate) connection: CallConnection,
    below: Connection,
    _serving: Option<AbortOnDropHandle<()>>,
}

impl Other {
    /// Its client over a connection: a stream for each call, or everything on the only one.
    pub(crate) async fn over(way: Way, below: Connection) -> Self {
        let (registry, nobody) = (registry(), Arc::new(NoopIdentityProvider));
        if way != Way::Unix {
            let connection = CallClient::new(registry, nobody).spawn_dispatch(bridged(below.clone()));
            return Self { connection, below, _serving: None };
        }
        let stream = Bridge(below.clone()).accept_bi().await.unwrap();
        let (writer, reader) = split_single_stream(stream);
        let connection = CallConnection::new_single_stream(bridged(below.clone()), Arc::clone(&writer));
        let serving = Dispatcher::new(registry, nobody);
        let serving = serving.serve_single_stream(Arc::new(connection.clone()), reader, writer);
        let serving = AbortOnDropHandle::new(TaskTracker::new().spawn(serving));
        Self { connection, below, _serving: Some(serving) }
    }

    /// Ends the connection.
    pub(crate) fn stop(self) {
        self.below.close(0, "done");
    }
}

/// Its adapter behind an endpoint of this project: a connection to it, and what keeps it up.
pub(crate) async fn server_on_quic(way: Way) -> (Connection, (Endpoint, Dialer)) {
    let key = Ed25519SecretKey::generate().unwrap();
    let public = key.public();
    let handlers = HandlerRegistry::builder().register(Arc::new(Adapter)).unwrap().build();
    let nobody = Arc::new(alknet_conformance::Identities::new(&[]).unwrap());
    let mut config = EndpointConfig::new(key, handlers, nobody);
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    if way == Way::Iroh {
        config.iroh = Some(IrohConfig { bind: here, relay: None });
    } else {
        config.quic = Some(QuicConfig { listen: here });
    }
    let endpoint = Endpoint::bind(config).await.unwrap();
    let dialer = Dialer::new(None);
    let dialed = match endpoint.quic_addr() {
        Some(addr) => dialer.dial_quic(addr, &Fingerprint::from(&public), ALPN_CALL_ALIAS).await,
        None => dialer.dial_iroh(&public, endpoint.iroh_addrs(), None, ALPN_CALL_ALIAS).await,
    };
    (dialed.unwrap(), (endpoint, dialer))
}

struct Adapter;

#[async_trait]
impl ProtocolHandler for Adapter {
    fn alpn(&self) -> &'static [u8] {
        ALPN_CALL_ALIAS
    }

    async fn handle(&self, peer: Connection, _: &AuthContext, _: DrainSignal) -> Result<(), HandlerError> {
        let adapter = CallAdapter::new(registry(), Arc::new(NoopIdentityProvider));
        let anonymous = alkcall::core::auth::AuthContext::anonymous(ALPN_CALL_ALIAS);
        adapter
            .handle(bridged(peer), &anonymous)
            .await
            .map_err(|error| HandlerError::Internal(error.to_string().into()))
    }
}

/// This project's connection as the other implementation wants one.
struct Bridge(Connection);

fn bridged(connection: Connection) -> OtherConnection {
    OtherConnection::from_source(Bridge(connection), ALPN_CALL_ALIAS.to_vec())
}

fn failed(error: StreamError) -> OtherError {
    match error {
        StreamError::ConnectionClosed => OtherError::ConnectionClosed,
        StreamError::StreamClosed => OtherError::StreamClosed,
        StreamError::Timeout => OtherError::Timeout,
        StreamError::Internal(error) => OtherError::Internal(error),
    }
}

#[async_trait]
impl BidiStreamSource for Bridge {
    async fn accept_bi(&self) -> Result<BiStream, OtherError> {
        let (send, recv) = self.0.accept_bi().await.map_err(failed)?;
        Ok(BiStream::from_joined(recv.compat(), send.compat_write()))
    }

    async fn open_bi(&self) -> Result<BiStream, OtherError> {
        let (send, recv) = self.0.open_bi().await.map_err(failed)?;
        Ok(BiStream::from_joined(recv.compat(), send.compat_write()))
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.remote_addr()
    }

    fn close(&self, code: u32, reason: &str) {
        self.0.close(code, reason);
    }
}

fn spec(name: &str, kind: OperationType, visibility: Visibility) -> OperationSpec {
    let access = AccessControl::default();
    OperationSpec::new(name, kind, visibility, json!({}), json!({}), Vec::new(), access, None)
}

/// What the other implementation serves.
fn registry() -> Arc<OperationRegistry> {
    use OperationType::{Pub, Query, Sub};
    use Visibility::{External, Internal};
    let echo = make_handler(|input, call| async move { ResponseEnvelope::ok(call.request_id, input) });
    let fail = make_handler(|_, call| async move {
        let error = CallError::new("K_FAILED", "it failed", true).with_details(json!({ "why": "so" }));
        ResponseEnvelope::error(call.request_id, error)
    });
    let exec = make_handler(|input, call| async move {
        let behalf = call.forwarded_for.map(|identity| identity.id);
        ResponseEnvelope::ok(call.request_id, json!({ "exec": input, "for": behalf }))
    });
    let items = make_streaming_handler(|input: Value, call| {
        let n = input["n"].as_u64().unwrap_or_default();
        futures_util::stream::iter(0..n).map(move |n| ResponseEnvelope::ok(call.request_id.clone(), json!(n)))
    });
    let sum = make_sink_handler(|_, call, chunks| async move {
        let chunks: Vec<_> = chunks.collect().await;
        let sum: i64 = chunks.iter().filter_map(|chunk| chunk.as_ref().ok()?.as_i64()).sum();
        ResponseEnvelope::ok(call.request_id, json!(sum))
    });
    let nothing = Capabilities::new;
    let registry = OperationRegistryBuilder::new()
        .with_local(spec("k/echo", Query, External), echo.clone(), None, None, nothing())
        .and_then(|registry| {
            registry.with_local(spec("k/hidden", Query, Internal), echo, None, None, nothing())
        })
        .and_then(|registry| {
            registry.with_local(spec("k/fail", Query, External), fail, None, None, nothing())
        })
        .and_then(|registry| {
            registry.with_local(spec("w/exec", Query, External), exec, None, None, nothing())
        })
        .and_then(|registry| {
            registry.with_local_streaming(spec("k/items", Sub, External), items, None, None, nothing())
        })
        .and_then(|registry| {
            registry.with_local_sink(spec("k/sum", Pub, External), sum, None, None, nothing())
        })
        .unwrap();
    let registry = Arc::new(registry.build());
    install_bootstrap_discovery(&registry).unwrap();
    registry
}
