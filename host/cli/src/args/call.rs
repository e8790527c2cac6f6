//! `call`, and how a host is reached.

use std::path::PathBuf;
use std::time::Duration;

use alknet_core::{Fingerprint, PublicKey};
use clap::Args;

use super::parse_time;

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The operation's name, such as `fs/list`. Of a subscription, each item is printed as it comes, on a line of its
    /// own; to a publication, standard input is fed: one JSON value on each line.
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// The input: JSON, `@FILE` for a file with JSON, `-` for standard input; by default `{}`.
    #[arg(value_name = "JSON|@FILE|-")]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Which host to talk to, and as whom. Without any of these: the host running in this folder, as its operator.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub(crate) struct ClientArgs {
    /// The host's address; `--fingerprint` or `--iroh` says which key it must hold.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect: Option<String>,
    /// The host's key, `ed25519:` and 64 hexadecimal digits, as `alknet-agent key show` prints it.
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "iroh")]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// Connect by iroh to this node id; `--connect` may give a direct address.
    #[arg(long, value_name = "NODE_ID", value_parser = parse_node_id)]
    pub(crate) iroh: Option<PublicKey>,
    /// The socket of a host on this machine, `alknet.sock` in its data folder; `--token-file` says who you are.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["connect", "fingerprint", "iroh", "key"])]
    pub(crate) socket: Option<PathBuf>,
    /// The file with the private key to show to the host.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The file with an API key to send along; `-` reads it from standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) token_file: Option<PathBuf>,
    /// The longest to wait for an answer, such as 500ms, 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,
}

pub(super) const CALL_EXAMPLES: &str = "\
Examples:
  alknet-agent call services/list
  alknet-agent call services/schema '{\"name\":\"fs/list\"}'
  alknet-agent call fs/list '{\"path\":\".\"}'
  alknet-agent call fs/list @input.json
  echo '{\"path\":\".\"}' | alknet-agent call fs/list - | jq .
  alknet-agent call time/ticks '{\"every_ms\":1000,\"count\":3}'
  alknet-agent call kv/import < pairs.jsonl
  alknet-agent call services/list --socket .alknet-agent/alknet.sock
  alknet-agent call services/list --connect 192.0.2.7:7443 --fingerprint ed25519:1c9f… --key agent.key

Standard output carries the operation's output alone: on several lines at a terminal, on one when it is piped
or with --json; items of subscriptions are always one a line. An error goes to standard error, with --json as {code, message, retryable, details}.";

/// A node id is a raw Ed25519 key in hexadecimal; its fingerprint is accepted too.
fn parse_node_id(text: &str) -> Result<PublicKey, String> {
    let fingerprint = if text.contains(':') { text.to_owned() } else { format!("ed25519:{text}") };
    match fingerprint.parse() {
        Ok(Fingerprint::Ed25519(key)) => Ok(PublicKey::from_bytes(key)),
        Ok(Fingerprint::Sha256(_)) | Err(_) => {
            Err("a node id is 64 hexadecimal digits, as `alknet-agent key show` prints them".to_owned())
        }
    }
}
