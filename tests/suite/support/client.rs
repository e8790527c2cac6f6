//! A client as a program would write it, on the libraries.

use alknet_call::{CallError, CallOptions, Client, Limits};
use alknet_core::{Connection, Secret};
use alknet_net::Dialer;
use serde_json::{Value, json};

use super::soon;

/// A client on a connection of its own. Closed without a word when it is dropped.
pub(crate) struct Peer {
    client: Client,
    options: CallOptions,
    // Its sockets go with it.
    _dialer: Dialer,
}

impl Peer {
    pub(super) fn new(dialer: Dialer, connection: Connection) -> Self {
        Self {
            client: Client::new(connection, Limits::default()),
            options: CallOptions { timeout: Some(super::PATIENCE), ..CallOptions::default() },
            _dialer: dialer,
        }
    }

    /// The same client, sending this token with every call.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.options.auth_token = Some(Secret::new(token.to_owned()));
        self
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, CallError> {
        let call = self.client.call_with(operation, &input, &self.options);
        soon("an answer", call).await
    }

    /// Calls an operation for the code it ends with, `OK` when it succeeds.
    pub(crate) async fn code(&self, operation: &str, input: Value) -> String {
        match self.call(operation, input).await {
            Ok(_) => "OK".to_owned(),
            Err(error) => error.code().to_string(),
        }
    }

    /// Opens a session.
    pub(crate) async fn open_session(&self) -> String {
        let opened = self.call("session/open", json!({})).await.unwrap();
        opened["session"].as_str().unwrap().to_owned()
    }

    /// Registers a JavaScript tool that takes and answers anything.
    pub(crate) async fn register(&self, session: &str, name: &str, source: &str) -> Result<Value, CallError> {
        let tool = json!({
            "session": session, "name": name, "description": name, "input_schema": {}, "output_schema": {},
            "language": "javascript", "source": source,
        });
        self.call("session/register", tool).await
    }

    /// Runs a JavaScript script and answers its output.
    pub(crate) async fn run(&self, session: &str, source: &str) -> Result<Value, CallError> {
        let script = json!({ "session": session, "language": "javascript", "source": source });
        let mut answer = self.call("session/run", script).await?;
        Ok(answer["output"].take())
    }
}
