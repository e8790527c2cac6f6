//! `serve`: a host runs until it is told to stop.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use alknet_core::Fingerprint;
use alknet_store::SqliteStore;
use clap::ValueEnum as _;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior};

use super::Context;
use super::key::node_id;
use crate::args::{LogLevel, ServeArgs};
use crate::assemble::{Host, Lifetime, Refreshed};
use crate::config::Config;
use crate::failure::{CommandError, CommandResult, chain};
use crate::logging;
use crate::output::Output;
use crate::project::{IrohNode, Layout, Project, RuntimeInfo, check_private_dir};
use crate::vault::{HostKeys, KeyStorage, PasswordSource};

/// Starts the host of this project, says where it listens, and serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// What keeps the host from starting, or from ending in order.
pub(crate) async fn run(args: &ServeArgs, context: &Context) -> CommandResult {
    let project = Project::find(context.config.as_deref())?;
    logging::start(&directives(context.log, &project.config.settings.log))?;
    let layout = &project.layout;
    check_private_dir(layout.data_dir())?;
    let keys = open_keys(args, layout).await?;
    // From here on a signal is kept until the host can be stopped in order.
    let mut signals = Signals::listen()?;
    tracing::info!(data_dir = %layout.data_dir().display(), "starting");
    let host = Box::pin(Host::start(&project.config, keys, Lifetime::Kept)).await?;
    let info = runtime_info(&host, &project);
    let served = Box::pin(serve(&host, &info, &project, context.output, &mut signals)).await;
    let ended = Box::pin(end(&host, &mut signals)).await;
    if let Err(error) = layout.runtime_file().remove(info.pid) {
        tracing::warn!(%error, file = %layout.runtime_file().path().display(), "cannot remove");
    }
    served.and(ended)
}

/// Announces the host and waits for the signal to stop.
async fn serve(
    host: &Host,
    info: &RuntimeInfo,
    project: &Project,
    output: Output,
    signals: &mut Signals,
) -> CommandResult {
    let Signals { stop, reload } = signals;
    let file = project.layout.runtime_file();
    file.write(info).map_err(|error| {
        CommandError::configuration(format!("cannot write {}: {error}", file.path().display()))
    })?;
    announce(info, project, output)?;
    tracing::info!(fingerprint = %info.fingerprint, "serving");
    let mut watch = Watch::new(project.config.file());
    loop {
        tokio::select! {
            () = stop.recv() => return Ok(()),
            _ = reload.recv() => {
                watch.saw_config();
                reload_from(host, project.config.file()).await;
                refresh(host).await;
            }
            () = watch.next() => {
                if watch.config_changed() {
                    tracing::info!("the configuration file has changed");
                    reload_from(host, project.config.file()).await;
                }
                refresh(host).await;
            }
        }
    }
}

/// Lets calls finish, unless a second signal comes.
async fn end(host: &Host, signals: &mut Signals) -> CommandResult {
    tracing::info!("stopping; a second signal does not wait for calls");
    let mut ending = pin!(host.shutdown());
    let ended = tokio::select! {
        ended = &mut ending => ended,
        () = signals.stop.recv() => {
            host.shutdown_now();
            ending.await
        }
    };
    tracing::info!(records = host.log().size(), "stopped");
    Ok(ended?)
}

/// Reads the configuration again; whatever is wrong with it, the host goes on.
async fn reload_from(host: &Host, file: &Path) {
    let text = match Config::read(file) {
        Ok(text) => text,
        Err(error) => return tracing::error!(%error, "configuration not read again"),
    };
    match host.reload(file, text).await {
        Ok(done) => {
            tracing::info!(identities_changed = done.identities_changed, "configuration read again");
            if done.restart_needed {
                tracing::warn!("some settings have changed that take a restart");
            }
        }
        Err(error) => tracing::error!(%error, "configuration refused; the one before stays in force"),
    }
}

/// Takes over what commands changed in the store; whatever is wrong with it, the host goes on.
async fn refresh(host: &Host) {
    match host.refresh().await {
        Ok(None) => {}
        Ok(Some(Refreshed { identities_changed, credentials_changed })) => {
            tracing::info!(identities_changed, credentials_changed, "identities and credentials read again");
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "not taken over; what was before stays in force");
        }
    }
}

/// Looks for changes that nobody sends a signal for.
struct Watch {
    interval: Interval,
    config: PathBuf,
    /// The state of the file that was read last.
    read: Option<FileState>,
    /// The state of the file when it was looked at last: one that is still being written is left alone.
    last: Option<FileState>,
}

/// What tells one content of a file from another, without reading it.
type FileState = (SystemTime, u64);

impl Watch {
    fn new(config: &Path) -> Self {
        let mut interval = tokio::time::interval(WATCH_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = state_of(config);
        Self { interval, config: config.to_owned(), read: now, last: now }
    }

    async fn next(&mut self) {
        self.interval.tick().await;
    }

    /// Whether the configuration is another one than was read last, and nobody is writing it.
    fn config_changed(&mut self) -> bool {
        let now = state_of(&self.config);
        let rests = now == self.last;
        self.last = now;
        let changed = rests && now.is_some() && now != self.read;
        if changed {
            self.read = now;
        }
        changed
    }

    /// Notes that the configuration is read for another reason.
    fn saw_config(&mut self) {
        self.read = state_of(&self.config);
    }
}

fn state_of(file: &Path) -> Option<FileState> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn runtime_info(host: &Host, project: &Project) -> RuntimeInfo {
    let addrs = host.iroh_addrs().to_vec();
    let iroh = project.config.settings.iroh.as_ref().map(|iroh| IrohNode {
        node_id: node_id(&host.public_key()),
        addrs,
        relay: iroh.relay.clone(),
    });
    let fingerprint = Fingerprint::from(&host.public_key()).to_string();
    let socket = project.config.settings.socket.then(|| project.layout.socket());
    RuntimeInfo { quic: host.quic_addr(), iroh, socket, fingerprint, pid: std::process::id() }
}

fn announce(info: &RuntimeInfo, project: &Project, output: Output) -> CommandResult {
    let (config, audit) = (project.config.file(), project.layout.audit_dir());
    if output.is_json() {
        return output.json(&json!({
            "event": "listening",
            "quic": info.quic,
            "socket": info.socket,
            "fingerprint": info.fingerprint,
            "iroh_node_id": info.iroh.as_ref().map(|iroh| &iroh.node_id),
            "iroh_addrs": info.iroh.as_ref().map(|iroh| &iroh.addrs),
            "config": config,
            "audit_dir": audit,
            "pid": info.pid,
        }));
    }
    let mut lines = Vec::new();
    if let Some(addr) = info.quic {
        lines.push(format!("Listening      {addr} (QUIC)"));
    }
    if let Some(iroh) = &info.iroh {
        let addrs: Vec<String> = iroh.addrs.iter().map(ToString::to_string).collect();
        lines.push(format!("iroh node      {} at {}", iroh.node_id, addrs.join(", ")));
    }
    if let Some(socket) = &info.socket {
        lines.push(format!("Socket         {}", socket.display()));
    }
    lines.push(format!("Fingerprint    {}", info.fingerprint));
    lines.push(format!("Configuration  {}", config.display()));
    lines.push(format!("Audit log      {}", audit.display()));
    lines.push("Ctrl-C stops the host; SIGHUP reads identities again.".to_owned());
    output.text(&lines.join("\n"))
}

/// `--log`, or what the configuration says: a level, or directives.
fn directives(typed: Option<LogLevel>, configured: &str) -> String {
    let level = typed.or_else(|| LogLevel::from_str(configured, false).ok());
    level.map_or_else(|| configured.to_owned(), logging::directives)
}

/// The host's keys. The password is asked for, and hashed, beside the runtime's threads.
async fn open_keys(args: &ServeArgs, layout: &Layout) -> CommandResult<HostKeys> {
    if !alknet_vault::forbid_dumps() {
        tracing::warn!("this system may write the host's memory into core dumps");
    }
    if KeyStorage::of(layout)? == KeyStorage::KeyFile {
        tracing::info!(file = %layout.host_key().display(), "no vault: the host's key is a file");
    }
    let store = SqliteStore::open(&layout.store_file())
        .map_err(|error| CommandError::configuration(chain(&error)))?;
    let versions = store.credentials().iter().map(|credential| credential.key_version).collect();
    let (layout, password) = (layout.clone(), PasswordSource::of(args.unlock.password_file.as_deref()));
    let opened = tokio::task::spawn_blocking(move || HostKeys::open(&layout, &password, &versions)).await;
    Ok(opened.map_err(|_| CommandError::internal("reading the host's keys broke off"))??)
}

/// The signals a host listens to.
struct Signals {
    stop: Stop,
    reload: Signal,
}

/// The signals that stop it.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> CommandResult<Self> {
        let failed = |error| CommandError::internal(format!("cannot wait for signals: {error}"));
        let open = |kind| signal(kind).map_err(failed);
        let stop =
            Stop { terminate: open(SignalKind::terminate())?, interrupt: open(SignalKind::interrupt())? };
        Ok(Self { stop, reload: open(SignalKind::hangup())? })
    }
}

impl Stop {
    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// How soon a change of the configuration or the store is in force.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_decides_what_is_logged() {
        assert_eq!(directives(Some(LogLevel::Error), "debug"), "error");
        assert_eq!(directives(None, "info"), logging::directives(LogLevel::Info));
        assert_eq!(directives(None, "info,quinn=trace"), "info,quinn=trace");
    }
}
