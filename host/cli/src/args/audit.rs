//! `audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ClientArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List records, newest last.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Show a call with everything it called, as a tree.
    #[command(after_help = "Examples:\n  alknet-agent audit trace 5f0c2e9a77d1b3460000000000000012")]
    Trace(TraceArgs),
    /// Tell where a tool came from: who wrote it, when, under which grant, and what it did.
    #[command(after_help = PROVENANCE_EXAMPLES)]
    Provenance(ProvenanceArgs),
    /// Check the log on this machine, without a host: every record, the tree of hashes, every signature.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Only records of this session.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Only records of this operation.
    #[arg(long, value_name = "OPERATION")]
    pub(crate) operation: Option<String>,
    /// Only records of calls by this identity.
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) caller: Option<String>,
    /// Only records with this outcome, such as `ok` or `FORBIDDEN`.
    #[arg(long, value_name = "CODE")]
    pub(crate) outcome: Option<String>,
    /// At most this many records.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The id of any call of the tree, as `audit show` prints it.
    #[arg(value_name = "CALL_ID")]
    pub(crate) call: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[group(id = "subject", required = true, multiple = false, args = ["operation", "digest"])]
pub(crate) struct ProvenanceArgs {
    /// The tool, such as `session/word_count`.
    #[arg(value_name = "session/NAME")]
    pub(crate) operation: Option<String>,
    /// The SHA-256 of the tool's source, instead of its name.
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<String>,
    /// The session that holds the tool; by default the one opened last in this folder.
    #[arg(long, value_name = "ID", conflicts_with = "digest")]
    pub(crate) session: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The folder with the log; by default this host's.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The key that must have signed it: a fingerprint, or a file holding one; by default this host's.
    #[arg(long, value_name = "FILE|ed25519:…")]
    pub(crate) key: Option<String>,
    /// A checkpoint kept elsewhere: the log must still begin with what it covers.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

pub(super) const AUDIT_EXAMPLES: &str = "\
Examples:
  alknet-agent audit show --outcome FORBIDDEN
  alknet-agent audit provenance session/word_count
  alknet-agent audit verify";

const SHOW_EXAMPLES: &str = "\
Examples:
  alknet-agent audit show
  alknet-agent audit show --operation fs/read --limit 10
  alknet-agent audit show --caller operator --outcome FORBIDDEN --json";

const PROVENANCE_EXAMPLES: &str = "\
Examples:
  alknet-agent audit provenance session/word_count
  alknet-agent audit provenance --digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const VERIFY_EXAMPLES: &str = "\
Examples:
  alknet-agent audit verify
  alknet-agent audit verify --dir backup/audit --key ed25519:1c9f…

Exit code 5 means that the log is not what the host signed; the message says where.";
