//! Which host a client command talks to, as whom, and over which way.
//!
//! The operator's key is shown to the host it belongs to and to no other: whoever names another host says which
//! key to show.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use alknet_call::{CallError, CallOptions, Client, Limits, Publication, Subscription};
use alknet_core::{ALPN_CALL, Ed25519SecretKey, Fingerprint, PublicKey, Secret};
use alknet_net::{DialError, Dialer, NetLimits, dial_unix};
use serde_json::Value;

use crate::args::ClientArgs;
use crate::commands::Context;
use crate::failure::{CommandError, CommandResult, chain};
use crate::input::read_token;
use crate::project::{Layout, Project, ProjectError, RuntimeInfo, read_key};

/// A host, connected.
#[derive(Debug)]
pub(crate) struct RemoteHost {
    client: Client,
    dialer: Dialer,
    options: CallOptions,
    /// What tells the host from others: the fingerprint of the key that it has proved to hold, or its socket.
    name: String,
    data_dir: Option<PathBuf>,
}

/// The way to a host whose key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Quic { addr: SocketAddr, pin: Fingerprint },
    Iroh { node: PublicKey, addrs: Vec<SocketAddr>, relay: Option<String> },
    Socket(PathBuf),
}

/// What is in this folder: a project, and the host that runs in it.
#[derive(Debug)]
struct Here {
    layout: Layout,
    relay: Option<String>,
    running: Option<RuntimeInfo>,
}

/// Connects, does the work, and closes the connection in any case.
pub(crate) async fn with_host<T>(
    args: &ClientArgs,
    context: &Context,
    work: impl AsyncFnOnce(&RemoteHost) -> CommandResult<T>,
) -> CommandResult<T> {
    let host = Box::pin(RemoteHost::connect(args, context)).await?;
    let outcome = Box::pin(work(&host)).await;
    host.close().await;
    outcome
}

impl RemoteHost {
    /// Connects to the host that the options name, or else to the one that runs here.
    async fn connect(args: &ClientArgs, context: &Context) -> CommandResult<Self> {
        let here = here(context)?;
        let route = route(args, here.as_ref()).await?;
        let key = key(args, here.as_ref(), route.fingerprint().as_ref())?;
        let token = args.token_file.as_deref().map(read_token).transpose()?;
        let mut limits = NetLimits::default();
        if route.is_loopback() {
            limits.dial_timeout = LOOPBACK_DIAL_TIMEOUT;
        }
        let data_dir = here.as_ref().map(|here| here.layout.data_dir().to_owned());
        let dialer = Dialer::with_limits(key, limits);
        let dialed = Self::dial(&dialer, route, token, args.timeout).await;
        let mut host = dialed.map_err(|error| unreachable_host(&error, args, here.as_ref()))?;
        host.data_dir = data_dir;
        Ok(host)
    }

    /// Connects to a host at this address, showing this key.
    pub(crate) async fn connect_quic(
        addr: SocketAddr,
        pin: Fingerprint,
        key: Ed25519SecretKey,
    ) -> CommandResult<Self> {
        let dialer = Dialer::new(Some(key));
        let dialed = Self::dial(&dialer, Route::Quic { addr, pin }, None, None).await;
        dialed.map_err(|error| CommandError::connection(chain(&error)))
    }

    async fn dial(
        dialer: &Dialer,
        route: Route,
        token: Option<Secret>,
        timeout: Option<Duration>,
    ) -> Result<Self, DialError> {
        let name = match &route {
            Route::Quic { pin, .. } => pin.to_string(),
            Route::Iroh { node, .. } => Fingerprint::from(node).to_string(),
            Route::Socket(path) => path.display().to_string(),
        };
        let connection = match &route {
            Route::Quic { addr, pin } => dialer.dial_quic(*addr, pin, ALPN_CALL).await?,
            Route::Iroh { node, addrs, relay } => {
                dialer.dial_iroh(node, addrs, relay.as_deref(), ALPN_CALL).await?
            }
            Route::Socket(path) => dial_unix(path, ALPN_CALL).await?,
        };
        let client = Client::new(connection, Limits::default());
        let options = CallOptions { auth_token: token, timeout, ..CallOptions::default() };
        Ok(Self { client, dialer: dialer.clone(), options, name, data_dir: None })
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, name: &str, input: &Value) -> Result<Value, CallError> {
        let timeout = Some(self.options.timeout.unwrap_or(ANSWER_TIMEOUT));
        let options = CallOptions { timeout, ..self.options.clone() };
        self.client.call_with(name, input, &options).await
    }

    /// Subscribes to an operation.
    pub(crate) async fn subscribe(&self, name: &str, input: &Value) -> Result<Subscription, CallError> {
        self.client.subscribe(name, input, &self.options).await
    }

    /// Opens a publication to an operation.
    pub(crate) async fn publish(&self, name: &str, input: &Value) -> Result<Publication, CallError> {
        self.client.publish(name, input, &self.options).await
    }

    /// What tells the host from others: its fingerprint, or its socket.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The data folder of the project around this folder, where there is one.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Closes the connection and lets the host know.
    pub(crate) async fn close(self) {
        self.client.close().await;
        self.dialer.close().await;
    }
}

impl Route {
    fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Quic { pin, .. } => Some(*pin),
            Self::Iroh { node, .. } => Some(Fingerprint::from(node)),
            Self::Socket(_) => None,
        }
    }

    fn is_loopback(&self) -> bool {
        match self {
            Self::Quic { addr, .. } => addr.ip().is_loopback(),
            Self::Iroh { addrs, relay, .. } => {
                relay.is_none() && addrs.iter().all(|addr| addr.ip().is_loopback())
            }
            Self::Socket(_) => true,
        }
    }
}

/// The project around this folder; `None` when there is none and none was named.
fn here(context: &Context) -> CommandResult<Option<Here>> {
    match Project::find(context.config.as_deref()) {
        Ok(project) => {
            let relay = project.config.settings.iroh.as_ref().and_then(|iroh| iroh.relay.clone());
            let running = project.layout.runtime_file().read();
            Ok(Some(Here { layout: project.layout, relay, running }))
        }
        Err(ProjectError::NotFound { .. }) => Ok(None),
        Err(error) => Err(CommandError::configuration(chain(&error))),
    }
}

async fn route(args: &ClientArgs, here: Option<&Here>) -> CommandResult<Route> {
    if let Some(socket) = &args.socket {
        return Ok(Route::Socket(socket.clone()));
    }
    let addrs = match &args.connect {
        Some(connect) => resolve(connect).await?,
        None => Vec::new(),
    };
    let running = here.and_then(|here| here.running.as_ref());
    if let Some(node) = args.iroh {
        return iroh_route(node, addrs, here);
    }
    match (addrs.first(), args.fingerprint) {
        (Some(addr), Some(pin)) => Ok(Route::Quic { addr: *addr, pin }),
        (Some(_), None) => Err(CommandError::usage("--connect needs the key the host must hold")
            .hint("add --fingerprint ed25519:…; `alknet-agent key show` prints it where the host lives")),
        (None, Some(pin)) => match running.filter(|running| running.fingerprint() == Some(pin)) {
            Some(running) => local_route(running),
            None => {
                Err(CommandError::usage("--fingerprint needs the host's address: add --connect HOST:PORT"))
            }
        },
        (None, None) => local_route(running.ok_or_else(|| nobody_here(here))?),
    }
}

fn iroh_route(node: PublicKey, mut addrs: Vec<SocketAddr>, here: Option<&Here>) -> CommandResult<Route> {
    let mut relay = here.and_then(|here| here.relay.clone());
    let local = here
        .and_then(|here| here.running.as_ref())
        .filter(|running| addrs.is_empty() && running.fingerprint() == Some(Fingerprint::from(&node)));
    if let Some(known) = local.and_then(|running| running.iroh.as_ref()) {
        addrs.clone_from(&known.addrs);
        relay = relay.or_else(|| known.relay.clone());
    }
    if addrs.is_empty() && relay.is_none() {
        return Err(CommandError::usage("there is no way to this node: no address and no relay").hint(
            "add its direct address with --connect HOST:PORT, or set `relay` under [iroh] in the configuration",
        ));
    }
    Ok(Route::Iroh { node, addrs, relay })
}

fn local_route(running: &RuntimeInfo) -> CommandResult<Route> {
    let unreadable = || {
        CommandError::configuration("what the running host left in its data folder is not readable")
            .hint("start the host again with `alknet-agent serve`")
    };
    let pin = running.fingerprint().ok_or_else(unreadable)?;
    if let Some(addr) = running.quic {
        return Ok(Route::Quic { addr: reachable(addr), pin });
    }
    let node = running.iroh.as_ref().ok_or_else(unreadable)?;
    let Fingerprint::Ed25519(key) = pin else {
        return Err(unreadable());
    };
    let addrs = node.addrs.iter().copied().map(reachable).collect();
    Ok(Route::Iroh { node: PublicKey::from_bytes(key), addrs, relay: node.relay.clone() })
}

/// An address to dial for one that is listened on: "any" is this machine.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        let loopback: std::net::IpAddr = match addr {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        addr.set_ip(loopback);
    }
    addr
}

/// The key to show: the one that was named, or the operator's to its own host.
fn key(
    args: &ClientArgs,
    here: Option<&Here>,
    host: Option<&Fingerprint>,
) -> CommandResult<Option<Ed25519SecretKey>> {
    let Some(host) = host else { return Ok(None) };
    let file = match (&args.key, here) {
        (Some(file), _) => file.clone(),
        (None, Some(here)) if is_own(here, host) => here.layout.operator_key(),
        (None, _) => return Ok(None),
    };
    if args.key.is_none() && !file.exists() {
        return Ok(None);
    }
    read_key(&file).map(Some).map_err(|error| CommandError::configuration(chain(&error)))
}

fn is_own(here: &Here, host: &Fingerprint) -> bool {
    here.running.as_ref().and_then(RuntimeInfo::fingerprint) == Some(*host)
}

async fn resolve(address: &str) -> CommandResult<Vec<SocketAddr>> {
    let has_port =
        address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !has_port {
        return Err(CommandError::usage(format!("`{address}` is not an address: write HOST:PORT")));
    }
    let found = tokio::net::lookup_host(address).await;
    let found: Vec<SocketAddr> = found
        .map_err(|error| CommandError::connection(format!("cannot look up `{address}`: {error}")))?
        .collect();
    if found.is_empty() {
        return Err(CommandError::connection(format!("`{address}` has no address")));
    }
    Ok(found)
}

fn nobody_here(here: Option<&Here>) -> CommandError {
    let error = CommandError::connection("no host is running here");
    match here {
        Some(_) => error.hint("start one with `alknet-agent serve`, or name one with --connect HOST:PORT"),
        None => error.hint(
            "set one up with `alknet-agent init` and start it with `alknet-agent serve`, \
             or name one with --connect HOST:PORT",
        ),
    }
}

fn unreachable_host(error: &DialError, args: &ClientArgs, here: Option<&Here>) -> CommandError {
    let message = chain(error);
    match error {
        DialError::UnsupportedPin(_) | DialError::InvalidKey => CommandError::usage(message),
        DialError::WrongServerKey { .. } => CommandError::connection(message)
            .hint("nothing was sent to it; `alknet-agent key show` on the host prints the right fingerprint"),
        DialError::Timeout { .. } | DialError::Refused { .. } | DialError::Transport(_) => {
            let named = args.connect.is_some() || args.iroh.is_some();
            let running = here.and_then(|here| here.running.as_ref()).filter(|_| !named);
            match running {
                Some(running) => CommandError::connection(format!("no host is running here: {message}")).hint(format!(
                    "the last one (process {}) did not end in order: start it again with `alknet-agent serve`",
                    running.pid
                )),
                None => CommandError::connection(message).hint("is the host running, and is its UDP port reachable?"),
            }
        }
        _ => CommandError::connection(message),
    }
}

/// A host on this machine answers at once or not at all.
const LOOPBACK_DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// The host has a limit of its own, which is shorter; this one is for hosts that never answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests;
