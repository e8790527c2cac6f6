//! From what is written to what is meant: the settings of the host itself, and the helpers of every section.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use alknet_audit::Durability;
use alknet_call::Limits;
use alknet_net::NetLimits;
use alknet_sandbox::SandboxConfig;

use super::error::Problem;
use super::raw::{self, Text};
use super::{Access, DATA_DIR, IrohSettings, Settings, access, remotes, services, units};

pub(super) type Checked<T> = Result<T, Problem>;

/// Checks a whole file. `base` is the folder its relative paths start from.
pub(super) fn check(text: &str, base: &Path) -> Checked<(Settings, Access)> {
    let document = toml::de::DeTable::parse(text).map_err(|error| Problem::syntax(&error))?;
    let deserializer = toml::Deserializer::from(document);
    let file = <raw::File as serde::Deserialize>::deserialize(deserializer)
        .map_err(|error| Problem::shape(&error))?;
    let settings = settings(&file, base)?;
    let access = access::access(&file)?;
    Ok((settings, access))
}

fn settings(file: &raw::File, base: &Path) -> Checked<Settings> {
    let (call_limits, net_limits) = limits(&file.limits)?;
    let data_dir = path(file.host.data_dir.as_ref(), base)?.unwrap_or_else(|| base.join(DATA_DIR));
    let (quic, iroh) = (quic(&file.quic)?, iroh(&file.iroh)?);
    if let (None, None, Some(disabled)) = (quic, &iroh, &file.quic.enabled) {
        return Err(Problem::new(disabled.span(), "at least one of QUIC and iroh must be enabled"));
    }
    let fs_roots = services::fs_roots(&file.fs.root, base)?;
    let http_targets = services::http_targets(&file.http.target, base)?;
    let kv_path = path(file.kv.path.as_ref(), base)?.unwrap_or_else(|| data_dir.join("kv.sqlite"));
    let (mut sessions_max, mut sessions_per_identity_max) = (SESSIONS_MAX, SESSIONS_PER_IDENTITY_MAX);
    set_size(&mut sessions_max, file.limits.sessions_max);
    set_size(&mut sessions_per_identity_max, file.limits.sessions_per_identity_max);
    Ok(Settings {
        drain_timeout: duration_or(file.host.drain_timeout.as_ref(), Duration::from_secs(2))?,
        log: log(file.host.log.as_ref())?,
        quic,
        iroh,
        socket: file.socket.enabled.unwrap_or(true),
        remotes: remotes::remotes(&file.remote, base)?,
        durability: durability(file.audit.durability.as_ref())?,
        call_limits,
        net_limits,
        fs_roots,
        http_targets,
        kv_path,
        data_dir,
        sandbox: sandbox(&file.sandbox)?,
        sessions_max,
        sessions_per_identity_max,
        profiles: services::profiles(&file.profile)?,
    })
}

fn quic(raw: &raw::Quic) -> Checked<Option<SocketAddr>> {
    let listen = socket(raw.listen.as_ref(), SocketAddr::from(([127, 0, 0, 1], QUIC_PORT)))?;
    let enabled = raw.enabled.as_ref().is_none_or(|enabled| *enabled.get_ref());
    Ok(enabled.then_some(listen))
}

fn iroh(raw: &raw::Iroh) -> Checked<Option<IrohSettings>> {
    let bind = socket(raw.bind.as_ref(), SocketAddr::from(([127, 0, 0, 1], 0)))?;
    if let Some(relay) = &raw.relay
        && !relay.get_ref().starts_with("https://")
        && !relay.get_ref().starts_with("http://")
    {
        return Err(Problem::new(relay.span(), "expected the URL of a relay, `https://…`"));
    }
    let relay = raw.relay.as_ref().map(|relay| relay.get_ref().clone());
    Ok(raw.enabled.unwrap_or(false).then_some(IrohSettings { bind, relay }))
}

/// Where the compiled engine is kept is decided when the host is put together.
fn sandbox(raw: &raw::Sandbox) -> Checked<SandboxConfig> {
    let mut config = SandboxConfig::default();
    set_count(&mut config.instances_max, raw.instances_max);
    set_count(&mut config.components_max, raw.components_max);
    set_bytes(&mut config.suspended_bytes_max, raw.suspended_max.as_ref())?;
    Ok(config)
}

fn durability(raw: Option<&Text>) -> Checked<Durability> {
    match raw.map(|text| (text.get_ref().as_str(), text.span())) {
        None | Some(("os", _)) => Ok(Durability::Os),
        Some(("disk", _)) => Ok(Durability::Disk),
        Some((_, span)) => Err(Problem::new(span, "expected `os` or `disk`")),
    }
}

fn log(raw: Option<&Text>) -> Checked<String> {
    let Some(text) = raw else {
        return Ok(LOG.to_owned());
    };
    let known = tracing_subscriber::EnvFilter::try_new(text.get_ref()).is_ok();
    let filled = !text.get_ref().trim().is_empty();
    if !(known && filled) {
        let message =
            "expected `error`, `warn`, `info`, `debug`, `trace`, or directives like `info,alknet_call=debug`";
        return Err(Problem::new(text.span(), message));
    }
    Ok(text.get_ref().clone())
}

fn limits(raw: &raw::Limits) -> Checked<(Limits, NetLimits)> {
    let (mut call, mut net) = (Limits::default(), NetLimits::default());
    set_duration(&mut call.call_timeout, raw.call_timeout.as_ref())?;
    set_count(&mut call.depth_max, raw.depth_max);
    set_count(&mut call.tree_calls_max, raw.tree_calls_max);
    for (target, text) in [
        (&mut call.frame_bytes_max, &raw.frame_max),
        (&mut call.frame_bytes_anonymous_max, &raw.frame_anonymous_max),
    ] {
        set_bytes(target, text.as_ref())?;
        if *target > Limits::FRAME_BYTES_LEGAL {
            let span = text.as_ref().map(toml::Spanned::span).unwrap_or_default();
            return Err(Problem::new(span, "expected at most 64MiB, the largest frame of the protocol"));
        }
    }
    set_size(&mut call.streams_max, raw.streams_max);
    set_count(&mut net.streams_per_connection_max, raw.streams_max);
    set_size(&mut call.in_flight_max, raw.in_flight_max);
    set_bytes(&mut call.in_flight_bytes_max, raw.in_flight_bytes_max.as_ref())?;
    set_size(&mut call.pending_max, raw.pending_max);
    set_bytes(&mut call.unread_bytes_max, raw.unread_bytes_max.as_ref())?;
    set_duration(&mut call.frame_read_timeout, raw.frame_read_timeout.as_ref())?;
    set_duration(&mut call.write_timeout, raw.write_timeout.as_ref())?;
    set_size(&mut call.write_queue_max, raw.write_queue_max);
    set_size(&mut call.subscription_queue_max, raw.subscription_queue_max);
    set_size(&mut call.feed_queue_max, raw.feed_queue_max);
    set_bytes(&mut call.feed_bytes_max, raw.feed_bytes_max.as_ref())?;
    set_duration(&mut call.feed_timeout, raw.feed_timeout.as_ref())?;
    set_count(&mut call.duplicate_ids_max, raw.duplicate_ids_max);
    set_size(&mut call.detached_calls_max, raw.detached_calls_max);
    set_size(&mut call.peer_operations_max, raw.peer_operations_max);
    set_bytes(&mut call.peer_spec_bytes_max, raw.peer_spec_max.as_ref())?;
    set_count(&mut call.auth_attempts_max, raw.auth_attempts_max);
    set_duration(&mut net.idle_timeout, raw.idle_timeout.as_ref())?;
    set_duration(&mut net.handshake_timeout, raw.handshake_timeout.as_ref())?;
    set_count(&mut net.connections_max, raw.connections_max);
    Ok((call, net))
}

/// A problem at the place of a text.
pub(super) fn problem(text: &Text, message: impl Into<String>) -> Problem {
    Problem::new(text.span(), message)
}

/// Parses a text into a type whose errors say what is expected and never repeat the text.
pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(text: &Text) -> Checked<T> {
    text.get_ref().parse().map_err(|error: T::Err| problem(text, error.to_string()))
}

/// A path, made relative to the configuration's folder.
pub(super) fn path(text: Option<&Text>, base: &Path) -> Checked<Option<PathBuf>> {
    let Some(text) = text else { return Ok(None) };
    if text.get_ref().is_empty() {
        return Err(problem(text, "expected a path"));
    }
    Ok(Some(base.join(text.get_ref())))
}

pub(super) fn set_duration(target: &mut Duration, text: Option<&Text>) -> Checked<()> {
    *target = duration_or(text, *target)?;
    Ok(())
}

pub(super) fn set_bytes(target: &mut usize, text: Option<&Text>) -> Checked<()> {
    if let Some(text) = text {
        *target =
            units::bytes(text.get_ref()).map_err(|expected| problem(text, format!("expected {expected}")))?;
    }
    Ok(())
}

pub(super) fn set_count(target: &mut u32, count: Option<NonZeroU32>) {
    *target = count.map_or(*target, NonZeroU32::get);
}

pub(super) fn set_size(target: &mut usize, count: Option<NonZeroU32>) {
    *target = count.and_then(|count| usize::try_from(count.get()).ok()).unwrap_or(*target);
}

fn duration_or(text: Option<&Text>, default: Duration) -> Checked<Duration> {
    let Some(text) = text else { return Ok(default) };
    units::duration(text.get_ref()).map_err(|expected| problem(text, format!("expected {expected}")))
}

fn socket(text: Option<&Text>, default: SocketAddr) -> Checked<SocketAddr> {
    let Some(text) = text else { return Ok(default) };
    let expected = "expected an IP address and a port like `127.0.0.1:7443` or `[::1]:7443`";
    text.get_ref().parse().map_err(|_| problem(text, expected))
}

const QUIC_PORT: u16 = 7443;
const LOG: &str = "info";
const SESSIONS_MAX: usize = 1024;
const SESSIONS_PER_IDENTITY_MAX: usize = 16;
