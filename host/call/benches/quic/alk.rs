//! The published crate `alkcall` as server and client, in its single-stream mode: its other mode leaves every stream
//! open and stops at the transport's limit.

use std::sync::Arc;

use alkcall::core::auth::NoopIdentityProvider;
use alkcall::core::types::{BiStream, Capabilities};
use alkcall::protocol::connection::{CallConnection, read_single_stream_until_closed, split_single_stream};
use alkcall::protocol::dispatch::Dispatcher;
use alkcall::protocol::wire::ResponseEnvelope;
use alkcall::registry::registration::{OperationRegistry, OperationRegistryBuilder, make_handler};
use alkcall::registry::spec::{AccessControl, OperationSpec, OperationType, Visibility};
use alknet_core::{
    AuthContext, Connection, DrainSignal, HandlerError, ProtocolHandler, RecvStream, SendStream,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, FuturesAsyncWriteCompatExt as _};

use crate::Outcome;
use crate::hosts::{OPERATION, schema};

pub(crate) const ALPN: &[u8] = b"bench/alkcall";

/// Serves the operation with `alkcall`.
pub(crate) struct AlkServer(Arc<OperationRegistry>);

impl AlkServer {
    pub(crate) fn new() -> Outcome<Self> {
        let spec = OperationSpec::new(
            OPERATION,
            OperationType::Query,
            Visibility::External,
            schema(),
            json!({}),
            Vec::new(),
            AccessControl::default(),
            None,
        );
        let echo =
            make_handler(|input, context| async move { ResponseEnvelope::ok(context.request_id, input) });
        let builder = OperationRegistryBuilder::new();
        let registry = builder.with_local(spec, echo, None, None, Capabilities::new())?.build();
        Ok(Self(Arc::new(registry)))
    }
}

fn joined(send: SendStream, recv: RecvStream) -> BiStream {
    BiStream::from_joined(recv.compat(), send.compat_write())
}

/// A connection that `alkcall` takes but never opens a stream on.
fn placeholder() -> alkcall::core::types::Connection {
    let (unused, _) = tokio::io::duplex(1);
    alkcall::core::types::Connection::from_bidi(unused, ALPN.to_vec(), None)
}

#[async_trait]
impl ProtocolHandler for AlkServer {
    fn alpn(&self) -> &'static [u8] {
        ALPN
    }

    async fn handle(&self, peer: Connection, _: &AuthContext, _: DrainSignal) -> Result<(), HandlerError> {
        let (send, recv) = peer.accept_bi().await?;
        let (writer, reader) = split_single_stream(joined(send, recv));
        let connection = Arc::new(CallConnection::new_single_stream(placeholder(), Arc::clone(&writer)));
        let dispatcher = Dispatcher::new(Arc::clone(&self.0), Arc::new(NoopIdentityProvider));
        dispatcher.serve_single_stream(connection, reader, writer).await;
        Ok(())
    }
}

/// Calls the operation with `alkcall`.
pub(crate) struct Alk {
    connection: CallConnection,
    _transport: Connection,
    _reading: JoinSet<()>,
}

impl Alk {
    pub(crate) async fn connect(transport: Connection) -> Outcome<Self> {
        let (send, recv) = transport.open_bi().await?;
        let (writer, reader) = split_single_stream(joined(send, recv));
        let connection = CallConnection::new_single_stream(placeholder(), writer);
        let pending = Arc::clone(connection.pending());
        let mut reading = JoinSet::new();
        reading.spawn(async move { read_single_stream_until_closed(reader, &pending).await });
        Ok(Self { connection, _transport: transport, _reading: reading })
    }

    pub(crate) async fn call(&self, input: &Value) -> Outcome {
        let answer = self.connection.call(OPERATION, input.clone()).await;
        answer.result.map(drop).map_err(|error| format!("{error:?}").into())
    }
}
