//! Other hosts whose operations this one uses.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alknet_core::{Fingerprint, IdentityId, PublicKey};

use super::check::{Checked, parse, path, problem};
use super::raw;
use super::services::unique;

/// A host that this one connects to, to use its operations.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// The name that it has here, among the peers.
    pub(crate) id: IdentityId,
    /// How it is reached.
    pub(crate) route: RemoteRoute,
    /// Put before the names of its operations.
    pub(crate) prefix: String,
    /// Which of its operations are used; all, when absent.
    pub(crate) operations: Option<Vec<NamePattern>>,
    /// The file with the token to show it, readable by the owner only.
    pub(crate) token_file: Option<PathBuf>,
    /// Keeps from it on whose behalf it is called.
    pub(crate) hide_callers: bool,
}

/// The way to a remote, and the key that it must hold.
#[derive(Debug, Clone)]
pub(crate) enum RemoteRoute {
    /// Direct QUIC.
    Quic { addr: SocketAddr, pin: Fingerprint },
    /// iroh, at a direct address or through a relay.
    Iroh { node: PublicKey, addrs: Vec<SocketAddr>, relay: Option<String> },
}

/// The name of an operation, or with `/*` at its end of all below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamePattern {
    /// This one.
    Exact(String),
    /// All whose names begin with this.
    Below(String),
}

impl NamePattern {
    fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let below = name.len() < text.len();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        if !name.chars().all(legal) || name.starts_with('/') || (below && !name.ends_with('/')) {
            return None;
        }
        if below {
            Some(Self::Below(name.to_owned()))
        } else {
            name.contains('/').then(|| Self::Exact(name.to_owned()))
        }
    }

    /// Whether it means this operation.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Below(prefix) => name.starts_with(prefix),
        }
    }
}

pub(super) fn remotes(raw: &[raw::Remote], base: &Path) -> Checked<Vec<Remote>> {
    let (mut ids, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    raw.iter()
        .map(|raw| {
            let remote = remote(raw, base)?;
            unique(&mut ids, &raw.id)?;
            if !prefixes.insert(remote.prefix.clone()) {
                let place = raw.prefix.as_ref().unwrap_or(&raw.id);
                return Err(problem(place, format!("the prefix `{}` is given twice", remote.prefix)));
            }
            Ok(remote)
        })
        .collect()
}

fn remote(raw: &raw::Remote, base: &Path) -> Checked<Remote> {
    let id: IdentityId = parse(&raw.id)?;
    if id.as_str() == "local" {
        return Err(problem(&raw.id, "`local` is this host itself; choose another id"));
    }
    let prefix = raw.prefix.as_ref().unwrap_or(&raw.id);
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if prefix.get_ref().is_empty() || !prefix.get_ref().chars().all(legal) {
        let message = "expected a prefix of A-Z a-z 0-9 . _ - for the names of its operations";
        return Err(problem(prefix, message));
    }
    let pattern = |text: &raw::Text| {
        let message = "expected the name of an operation, such as `fs/read`, or `fs/*` for all below";
        NamePattern::parse(text.get_ref()).ok_or_else(|| problem(text, message))
    };
    let operations = raw.operations.as_ref();
    Ok(Remote {
        id,
        route: route(raw)?,
        prefix: prefix.get_ref().clone(),
        operations: operations.map(|all| all.iter().map(pattern).collect::<Checked<_>>()).transpose()?,
        token_file: path(raw.token_file.as_ref(), base)?,
        hide_callers: raw.hide_callers,
    })
}

fn route(raw: &raw::Remote) -> Checked<RemoteRoute> {
    let pin: Fingerprint = parse(&raw.fingerprint)?;
    let Fingerprint::Ed25519(key) = pin else {
        return Err(problem(&raw.fingerprint, "expected `ed25519:` and 64 hexadecimal digits"));
    };
    let address = raw.address.as_ref().map(|text| {
        let parsed = text.get_ref().parse::<SocketAddr>();
        parsed.map_err(|_| problem(text, "expected an IP address and a port, such as `192.0.2.7:7443`"))
    });
    let address = address.transpose()?;
    if raw.iroh {
        let relay = raw.relay.as_ref().map(|relay| relay.get_ref().clone());
        if address.is_none() && relay.is_none() {
            return Err(problem(&raw.id, "a remote over iroh needs an `address` or a `relay`"));
        }
        let addrs = address.into_iter().collect();
        return Ok(RemoteRoute::Iroh { node: PublicKey::from_bytes(key), addrs, relay });
    }
    match (address, &raw.relay) {
        (Some(addr), None) => Ok(RemoteRoute::Quic { addr, pin }),
        (_, Some(relay)) => Err(problem(relay, "a relay is used with `iroh = true` only")),
        (None, None) => Err(problem(&raw.id, "a remote needs an `address`")),
    }
}
