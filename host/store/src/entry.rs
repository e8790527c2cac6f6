//! Entries as the file has them: JSON, with every name in the form that configuration files use.

use std::collections::BTreeMap;

use alknet_core::{ApiKeyEntry, Grants, PeerEntry, Scope, StoreError};
use serde::{Deserialize, Serialize};

/// A peer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    id: String,
    fingerprints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token_hash: Option<String>,
    scopes: Vec<String>,
    resources: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    enabled: bool,
}

/// An API key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    prefix: String,
    hash: String,
    scopes: Vec<String>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

impl From<&PeerEntry> for Peer {
    fn from(entry: &PeerEntry) -> Self {
        let resources = entry.grants.resources();
        Self {
            id: entry.peer_id.to_string(),
            fingerprints: entry.fingerprints.iter().map(ToString::to_string).collect(),
            auth_token_hash: entry.auth_token_hash.map(|hash| hash.to_string()),
            scopes: scopes_of(&entry.grants),
            resources: resources
                .map(|(kind, actions)| (kind.to_owned(), actions.map(str::to_owned).collect()))
                .collect(),
            display_name: entry.display_name.clone(),
            enabled: entry.enabled,
        }
    }
}

impl TryFrom<Peer> for PeerEntry {
    type Error = StoreError;

    fn try_from(peer: Peer) -> Result<Self, StoreError> {
        let fingerprints = peer.fingerprints.iter().map(|text| text.parse().map_err(damaged));
        let mut grants = grants_of(&peer.scopes)?;
        for (kind, actions) in &peer.resources {
            grants = actions.iter().fold(grants, |grants, action| grants.with_resource(kind, action));
        }
        Ok(Self {
            peer_id: peer.id.parse().map_err(damaged)?,
            fingerprints: fingerprints.collect::<Result<_, _>>()?,
            auth_token_hash: peer.auth_token_hash.map(|text| text.parse().map_err(damaged)).transpose()?,
            grants,
            display_name: peer.display_name,
            enabled: peer.enabled,
        })
    }
}

impl From<&ApiKeyEntry> for ApiKey {
    fn from(entry: &ApiKeyEntry) -> Self {
        Self {
            prefix: entry.prefix.clone(),
            hash: entry.hash.to_string(),
            scopes: scopes_of(&entry.grants),
            description: entry.description.clone(),
            expires_at: entry.expires_at,
        }
    }
}

impl TryFrom<ApiKey> for ApiKeyEntry {
    type Error = StoreError;

    fn try_from(key: ApiKey) -> Result<Self, StoreError> {
        Ok(Self {
            prefix: key.prefix,
            hash: key.hash.parse().map_err(damaged)?,
            grants: grants_of(&key.scopes)?,
            description: key.description,
            expires_at: key.expires_at,
        })
    }
}

fn scopes_of(grants: &Grants) -> Vec<String> {
    grants.scopes().map(ToString::to_string).collect()
}

fn grants_of(scopes: &[String]) -> Result<Grants, StoreError> {
    let scopes: Result<Vec<Scope>, _> = scopes.iter().map(|scope| Scope::parse(scope)).collect();
    Ok(Grants::from_scopes(scopes.map_err(damaged)?))
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Storage(error.into())
}
