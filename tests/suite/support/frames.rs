//! Frames made by hand, on a stream of a real connection.

use alknet_core::{Connection, RecvStream, SendStream, StreamError};
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use serde_json::{Value, json};

use super::soon;

/// One stream, and whatever bytes a peer likes to put on it.
pub(crate) struct Wire {
    send: SendStream,
    recv: RecvStream,
}

impl Wire {
    /// A new stream, or the only one of a connection that has one.
    pub(crate) async fn open(connection: &Connection) -> Self {
        let (send, recv) = match soon("a stream", connection.open_bi()).await {
            Err(StreamError::StreamClosed) => soon("the stream", connection.accept_bi()).await.unwrap(),
            opened => opened.unwrap(),
        };
        Self { send, recv }
    }

    /// Writes bytes as they are. The host may stop reading at any of them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let written = async {
            self.send.write_all(bytes).await?;
            self.send.flush().await
        };
        soon("a write", written).await.unwrap_or_default();
    }

    /// Writes bodies as frames, in one go.
    pub(crate) async fn frames<B: AsRef<[u8]>>(&mut self, bodies: impl IntoIterator<Item = B>) {
        let mut bytes = Vec::new();
        for body in bodies {
            let body = body.as_ref();
            bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
            bytes.extend(body);
        }
        self.write(&bytes).await;
    }

    /// Ends this side's half.
    pub(crate) async fn finish(&mut self) {
        soon("the end of a stream", self.send.close()).await.unwrap_or_default();
    }

    /// The next event of the host; `None` when it has ended the stream, in order or not.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        Some(serde_json::from_slice(&self.next_body().await?).unwrap())
    }

    /// The next body, as it came.
    pub(crate) async fn next_body(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        soon("a frame", self.recv.read_exact(&mut header)).await.ok()?;
        let mut body = vec![0; u32::from_be_bytes(header) as usize];
        soon("a body", self.recv.read_exact(&mut body)).await.ok()?;
        Some(body)
    }

    /// The next answer, as its id and `OK` or its error's code.
    pub(crate) async fn answer(&mut self) -> Option<(String, String)> {
        let event = self.next().await?;
        let id = event["id"].as_str().unwrap().to_owned();
        let code = match event["type"].as_str().unwrap() {
            "call.responded" => "OK".to_owned(),
            "call.error" => event["payload"]["code"].as_str().unwrap().to_owned(),
            other => panic!("{other} is no answer"),
        };
        Some((id, code))
    }
}

/// The body of a request; `more` adds members to its payload.
pub(crate) fn requested(id: &str, operation: &str, input: &Value, more: &Value) -> String {
    let mut payload = json!({ "operationId": format!("/{operation}"), "input": input });
    let members = payload.as_object_mut().unwrap();
    members.extend(more.as_object().cloned().unwrap_or_default());
    json!({ "type": "call.requested", "id": id, "payload": payload }).to_string()
}
