//! Who is known: peers, API keys, and the limits at the door.

use std::collections::BTreeMap;

use alknet_core::{ApiKeyEntry, AuthPolicy, Directory, DirectoryError, Grants, PeerEntry, RateLimits, Scope};

use super::check::{Checked, parse, problem, set_count};
use super::error::Problem;
use super::raw::{self, Text};
use super::{Access, units};

pub(super) fn access(file: &raw::File) -> Checked<Access> {
    let peers = file.peer.iter().map(peer).collect::<Checked<_>>()?;
    let api_keys = file.api_key.iter().map(api_key).collect::<Checked<_>>()?;
    let policy = AuthPolicy { peers, api_keys };
    if let Err(error) = Directory::new(policy.clone()) {
        return Err(conflict(file, &error));
    }
    let mut rates = RateLimits::default();
    set_count(&mut rates.connections_per_ip_max, file.limits.connections_per_ip_max);
    let mut calls_per_second = CALLS_PER_SECOND_MAX;
    set_count(&mut calls_per_second, file.limits.calls_per_second_max);
    Ok(Access { policy, rates, calls_per_second })
}

/// Scopes and resources as grants.
pub(super) fn grants(scopes: &[Text], resources: &BTreeMap<String, Vec<String>>) -> Checked<Grants> {
    let scopes = scopes.iter().map(parse::<Scope>).collect::<Checked<Vec<_>>>()?;
    let pairs = resources.iter().flat_map(|(kind, actions)| actions.iter().map(move |action| (kind, action)));
    Ok(pairs.fold(Grants::from_scopes(scopes), |grants, (kind, action)| grants.with_resource(kind, action)))
}

fn peer(raw: &raw::Peer) -> Checked<PeerEntry> {
    let entry = PeerEntry {
        peer_id: parse(&raw.id)?,
        fingerprints: raw.fingerprints.iter().map(parse).collect::<Checked<_>>()?,
        auth_token_hash: raw.auth_token_hash.as_ref().map(parse).transpose()?,
        grants: grants(&raw.scopes, &raw.resources)?,
        display_name: raw.display_name.clone(),
        enabled: raw.enabled,
    };
    if entry.fingerprints.is_empty() && entry.auth_token_hash.is_none() {
        return Err(problem(
            &raw.id,
            "a peer needs `fingerprints` or `auth_token_hash`, else nobody can be it",
        ));
    }
    Ok(entry)
}

fn api_key(raw: &raw::ApiKey) -> Checked<ApiKeyEntry> {
    let expires_at = raw.expires_at.as_ref().map(|at| {
        let message = "expected a date and time in UTC like 2030-01-31T00:00:00Z";
        units::unix_seconds(at.get_ref()).ok_or_else(|| Problem::new(at.span(), message))
    });
    Ok(ApiKeyEntry {
        prefix: raw.prefix.get_ref().clone(),
        hash: parse(&raw.hash)?,
        grants: grants(&raw.scopes, &BTreeMap::new())?,
        description: raw.description.clone(),
        expires_at: expires_at.transpose()?,
    })
}

/// The place of a conflict: the later of the entries, because entries are read in order.
fn conflict(file: &raw::File, error: &DirectoryError) -> Problem {
    let last_peer =
        |id: &str| file.peer.iter().rev().find(|peer| peer.id.get_ref() == id).map(|peer| &peer.id);
    let last_key = |prefix: &str| {
        file.api_key.iter().rev().find(|key| key.prefix.get_ref() == prefix).map(|key| &key.prefix)
    };
    let place = match error {
        DirectoryError::DuplicatePeer(id) => last_peer(id.as_str()),
        DirectoryError::ReservedPeer(id) => last_peer(id.as_str()),
        DirectoryError::DuplicateFingerprint(fingerprint) => {
            let all = file.peer.iter().flat_map(|peer| &peer.fingerprints).rev();
            all.into_iter().find(|text| text.get_ref().parse() == Ok(*fingerprint))
        }
        DirectoryError::DuplicateToken(name) => last_key(name).or_else(|| last_peer(name)),
        DirectoryError::BadPrefix(prefix) => last_key(prefix),
        DirectoryError::BadName(_) => None,
    };
    let message = match error {
        // Somebody may have written the whole token there.
        DirectoryError::BadPrefix(_) => "expected `alk_` and four more ASCII characters".to_owned(),
        other => other.to_string(),
    };
    let span = place.map(toml::Spanned::span).unwrap_or_default();
    Problem::new(span, message)
}

/// More than one call after the other can be, over the network or the socket; less than half of what a small machine
/// serves, so that one identity does not take it from the others.
const CALLS_PER_SECOND_MAX: u32 = 10_000;
