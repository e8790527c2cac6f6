//! A client: a link that is driven by a task of its own.

use std::fmt;
use std::sync::Arc;

use alknet_core::{
    AuthContext, AuthToken, Connection, Drain, Fingerprint, Identity, IdentityProvider, SystemClock,
};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::{CallError, CallOptions, Dispatcher, Limits, Link, NoAudit, Publication, Registry, Subscription};

/// A connection to a host, for making calls. Serves nothing unless it is given a dispatcher.
pub struct Client {
    link: Link,
    drain: Drain,
    driver: TaskTracker,
}

impl Client {
    /// A client over a dialed connection. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(connection: Connection, limits: Limits) -> Self {
        let registry = Registry::builder().build();
        let dispatcher = Dispatcher::new(registry, Arc::new(NoAudit), limits, Arc::new(SystemClock));
        Self::serving(connection, AuthContext::default(), dispatcher, Arc::new(Nobody))
    }

    /// A client that also answers the host's calls. `auth` says who the host is: the fingerprint that was pinned.
    #[must_use]
    pub fn serving(
        connection: Connection,
        auth: AuthContext,
        dispatcher: Dispatcher,
        identities: Arc<dyn IdentityProvider>,
    ) -> Self {
        let link = Link::dialed(connection, auth, dispatcher, identities);
        let (drain, driver) = (Drain::new(), TaskTracker::new());
        let (driven, signal) = (link.clone(), drain.signal());
        driver.spawn(async move {
            if let Err(error) = driven.run(signal).await {
                tracing::warn!(%error, "the host misbehaved");
            }
            driven.connection().close(0, "done");
        });
        Self { link, drain, driver }
    }

    /// Calls an operation of the host.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn call(&self, name: &str, input: &Value) -> Result<Value, CallError> {
        self.call_with(name, input, &CallOptions::default()).await
    }

    /// Calls an operation of the host with a token or another timeout.
    ///
    /// # Errors
    /// As [`Link::call`].
    pub async fn call_with(
        &self,
        name: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Value, CallError> {
        self.link.call(name, input, options).await
    }

    /// Subscribes to an operation of the host.
    ///
    /// # Errors
    /// As [`Link::subscribe`].
    pub async fn subscribe(
        &self,
        name: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Subscription, CallError> {
        self.link.subscribe(name, input, options).await
    }

    /// Opens a publication to an operation of the host.
    ///
    /// # Errors
    /// As [`Link::publish`].
    pub async fn publish(
        &self,
        name: &str,
        input: &Value,
        options: &CallOptions,
    ) -> Result<Publication, CallError> {
        self.link.publish(name, input, options).await
    }

    /// The connection as a link, for importing what the host offers.
    #[must_use]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Waits until the connection has ended.
    pub async fn ended(&self) {
        self.driver.close();
        self.driver.wait().await;
    }

    /// Finishes what runs and closes the connection.
    pub async fn close(self) {
        self.drain.start();
        self.driver.close();
        self.driver.wait().await;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.link.stop();
    }
}

/// Knows nobody: what a client's side of a connection resolves credentials with.
struct Nobody;

impl IdentityProvider for Nobody {
    fn resolve_from_fingerprint(&self, _: &Fingerprint) -> Option<Identity> {
        None
    }

    fn resolve_from_token(&self, _: &AuthToken) -> Option<Identity> {
        None
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("link", &self.link).finish_non_exhaustive()
    }
}
