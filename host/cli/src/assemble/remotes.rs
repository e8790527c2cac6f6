//! The hosts whose operations this one uses: a connection to each, made again when it is lost, with what it offers
//! imported anew each time.

use std::sync::Arc;
use std::time::Duration;

use alknet_call::{CallOptions, Client, Dispatcher, ImportOptions, NameFilter};
use alknet_core::{
    ALPN_CALL, AuthContext, Connection, Ed25519SecretKey, Fingerprint, IdentityProvider, LiveSecrets, Secret,
};
use alknet_net::{DialError, Dialer};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::StartError;
use crate::config::{Remote, RemoteRoute};
use crate::failure::chain;
use crate::project::read_secret;

/// Holds the connections. Its tasks end when this is dropped.
pub(super) struct Remotes {
    dialer: Dialer,
    tasks: TaskTracker,
    stop: DropGuard,
}

/// What every connection is made with.
#[derive(Clone)]
struct Local {
    dialer: Dialer,
    dispatcher: Dispatcher,
    identities: Arc<dyn IdentityProvider>,
}

/// One of the other hosts.
struct Other {
    remote: Remote,
    import: ImportOptions,
}

impl Remotes {
    /// Begins to connect; a remote that is not there yet keeps nothing from starting.
    pub(super) fn start(
        remotes: &[Remote],
        key: Ed25519SecretKey,
        dispatcher: &Dispatcher,
        identities: Arc<dyn IdentityProvider>,
        live: &LiveSecrets,
    ) -> Result<Self, StartError> {
        let others = remotes.iter().map(Other::new).collect::<Result<Vec<_>, _>>()?;
        let token =
            |other: &'_ Other| Some((other.remote.id.to_string(), other.import.options.auth_token.clone()?));
        let tokens: Vec<(String, Secret)> = others.iter().filter_map(token).collect();
        live.add(tokens.iter().map(|(remote, token)| (remote.as_str(), token)));
        let (tasks, stop, dialer) = (TaskTracker::new(), CancellationToken::new(), Dialer::new(Some(key)));
        let local = Local { dialer: dialer.clone(), dispatcher: dispatcher.clone(), identities };
        for other in others {
            let (local, stop) = (local.clone(), stop.clone());
            tasks.spawn(async move { stop.run_until_cancelled(other.keep(&local)).await });
        }
        tasks.close();
        Ok(Self { dialer, tasks, stop: stop.drop_guard() })
    }

    /// Closes the connections and waits for that.
    pub(super) async fn stop(&self) {
        self.stop.token().cancel();
        self.tasks.wait().await;
        self.dialer.close().await;
    }
}

impl Other {
    fn new(remote: &Remote) -> Result<Self, StartError> {
        let token = remote.token_file.as_deref().map(read_secret).transpose()?;
        let auth_token = token.map(|token| Secret::new(token.trim_end().to_owned()));
        let operations = remote.operations.clone();
        let filter = operations.map(|patterns| {
            let wanted: NameFilter =
                Arc::new(move |name: &str| patterns.iter().any(|pattern| pattern.matches(name)));
            wanted
        });
        let import = ImportOptions {
            prefix: Some(remote.prefix.clone()),
            filter,
            hides_callers: remote.hide_callers,
            options: CallOptions { auth_token, ..CallOptions::default() },
        };
        Ok(Self { remote: remote.clone(), import })
    }

    /// Connects, again and again.
    async fn keep(self, local: &Local) {
        let mut pause = PAUSE_MIN;
        loop {
            match self.dial(&local.dialer).await {
                Ok(connection) => {
                    if self.serve(connection, local).await {
                        pause = PAUSE_MIN;
                    }
                }
                Err(error) => tracing::warn!(remote = %self.remote.id, error = chain(&error), "not reached"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn dial(&self, dialer: &Dialer) -> Result<Connection, DialError> {
        match &self.remote.route {
            RemoteRoute::Quic { addr, pin } => dialer.dial_quic(*addr, pin, ALPN_CALL).await,
            RemoteRoute::Iroh { node, addrs, relay } => {
                dialer.dial_iroh(node, addrs, relay.as_deref(), ALPN_CALL).await
            }
        }
    }

    /// Imports what the remote offers and serves its calls until the connection is lost; false when nothing could be
    /// imported.
    async fn serve(&self, connection: Connection, local: &Local) -> bool {
        let fingerprint = match &self.remote.route {
            RemoteRoute::Quic { pin, .. } => *pin,
            RemoteRoute::Iroh { node, .. } => Fingerprint::from(node),
        };
        let auth = AuthContext {
            identity: local.identities.resolve_from_fingerprint(&fingerprint),
            alpn: ALPN_CALL.to_vec(),
            remote_addr: connection.remote_addr(),
            fingerprint: Some(fingerprint),
        };
        let dispatcher = local.dispatcher.clone();
        let client = Client::serving(connection, auth, dispatcher, Arc::clone(&local.identities));
        match client.link().import(&self.remote.id, &self.import).await {
            Ok(operations) => {
                tracing::info!(remote = %self.remote.id, operations, "connected, operations imported");
                client.ended().await;
                tracing::warn!(remote = %self.remote.id, "connection lost, its operations are gone");
                true
            }
            Err(error) => {
                tracing::warn!(remote = %self.remote.id, error = chain(&error), "nothing imported");
                client.close().await;
                false
            }
        }
    }
}

/// From a lost connection to the next attempt, at first; doubled with each that fails.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
