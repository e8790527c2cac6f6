//! `secret`, `peer` and `apikey`: what the store beside the configuration holds.

use std::path::PathBuf;
use std::time::Duration;

use alknet_core::{Fingerprint, IdentityId, Scope};
use clap::{Args, Subcommand};

use super::{UnlockArgs, parse_time};

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Store a new credential. Its value is asked for, and never shown again.
    #[command(after_help = SET_EXAMPLES)]
    Set(SecretValueArgs),
    /// Replace the value of a credential. A running host takes it over within a second.
    #[command(after_help = "Examples:\n  alknet-agent secret rotate github")]
    Rotate(SecretValueArgs),
    /// List the credentials, and what uses each. Needs no password: values are not shown.
    #[command(after_help = "Examples:\n  alknet-agent secret list")]
    List,
    /// Forget a credential.
    #[command(after_help = "Examples:\n  alknet-agent secret delete github")]
    Delete(SecretDeleteArgs),
    /// Encrypt every credential anew, with the next key version.
    #[command(after_help = "Examples:\n  alknet-agent secret rekey")]
    Rekey(SecretRekeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SecretValueArgs {
    /// The name: 1 to 64 characters of A-Z a-z 0-9 . _ -
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Where the value is read from, instead of asking: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SecretDeleteArgs {
    /// The name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Also when a target of the configuration uses it; the host does not start then.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SecretRekeyArgs {
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeerCommand {
    /// Let a peer in: by its key, by a token that is shown once, or by both.
    #[command(after_help = PEER_EXAMPLES)]
    Add(PeerAddArgs),
    /// List the peers of the configuration and of the store.
    #[command(after_help = "Examples:\n  alknet-agent peer list")]
    List,
    /// Keep a peer out without forgetting it. Its live connections lose access at their next call.
    #[command(after_help = "Examples:\n  alknet-agent peer disable ci")]
    Disable(PeerIdArgs),
    /// Let a disabled peer in again.
    #[command(after_help = "Examples:\n  alknet-agent peer enable ci")]
    Enable(PeerIdArgs),
    /// Forget a peer.
    #[command(after_help = "Examples:\n  alknet-agent peer remove ci")]
    Remove(PeerIdArgs),
    /// Replace a peer's keys, or its token; it stays the same identity.
    #[command(after_help = "Examples:\n  alknet-agent peer rotate ci --key ed25519:…")]
    Rotate(PeerRotateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PeerAddArgs {
    /// The identity's id: 1 to 128 printable characters without spaces.
    #[arg(value_name = "ID")]
    pub(crate) id: IdentityId,
    /// A key that proves the peer, `ed25519:…` or `SHA256:…`; give the option again for another one.
    #[arg(long = "key", value_name = "FINGERPRINT", required_unless_present = "token")]
    pub(crate) keys: Vec<Fingerprint>,
    /// Make a token that stands for the peer, and show it once.
    #[arg(long)]
    pub(crate) token: bool,
    /// A scope the peer gets; give the option again for another one.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<Scope>,
    /// An action on a resource that the peer gets; give the option again for another one.
    #[arg(long = "resource", value_name = "RESOURCE=ACTION", value_parser = parse_resource)]
    pub(crate) resources: Vec<(String, String)>,
    /// A name for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) display_name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PeerIdArgs {
    /// The identity's id.
    #[arg(value_name = "ID")]
    pub(crate) id: IdentityId,
}

#[derive(Debug, Args)]
pub(crate) struct PeerRotateArgs {
    /// The identity's id.
    #[arg(value_name = "ID")]
    pub(crate) id: IdentityId,
    /// A new key, in place of all the old ones; give the option again for another one.
    #[arg(long = "key", value_name = "FINGERPRINT", required_unless_present = "token")]
    pub(crate) keys: Vec<Fingerprint>,
    /// Make a new token, in place of the old one, and show it once.
    #[arg(long)]
    pub(crate) token: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make an API key, let its holder in, and show it once. Only its hash is stored.
    #[command(after_help = API_KEY_EXAMPLES)]
    Create(ApiKeyCreateArgs),
    /// List the API keys of the configuration and of the store.
    #[command(after_help = "Examples:\n  alknet-agent apikey list")]
    List,
    /// Keep the holder of an API key out from now on.
    #[command(after_help = "Examples:\n  alknet-agent apikey revoke alk_1f2e")]
    Revoke(ApiKeyRevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApiKeyCreateArgs {
    /// A scope the holder gets; give the option again for another one.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<Scope>,
    /// How long the key works, such as 30d; by default until it is revoked.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) expires_in: Option<Duration>,
    /// A note for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) description: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApiKeyRevokeArgs {
    /// The key's first eight characters, `alk_…`, or its hash, `sha256:…`.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

fn parse_resource(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((kind, action)) if !kind.is_empty() && !action.is_empty() => {
            Ok((kind.to_owned(), action.to_owned()))
        }
        _ => Err("expected RESOURCE=ACTION, such as project=read"),
    }
}

pub(super) const SECRET_EXAMPLES: &str = "\
Examples:
  alknet-agent secret set github             asks for the password, then for the value
  alknet-agent secret list

A target of http/fetch uses it with `credential = \"github\"` in alknet-agent.toml.";

const SET_EXAMPLES: &str = "\
Examples:
  alknet-agent secret set github
  alknet-agent secret set github --from token.txt --password-file /run/password
  pass show github | alknet-agent secret set github --from -";

pub(super) const PEER_EXAMPLES: &str = "\
Examples:
  alknet-agent peer add ci --key ed25519:… --scope session --scope fs:read
  alknet-agent peer add laptop --token --scope fs:read --resource project=read";

pub(super) const API_KEY_EXAMPLES: &str = "\
Examples:
  alknet-agent apikey create --scope fs:read --expires-in 30d --description dashboard";
