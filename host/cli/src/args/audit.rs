//! `audit`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::ClientArgs;
use crate::config::{duration, moment};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List records, newest last.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Print the latest records from the log on this machine, and with `--follow` those that come.
    #[command(after_help = TAIL_EXAMPLES)]
    Tail(TailArgs),
    /// Count what happened: records by kind, outcome, operation and caller.
    #[command(after_help = STATS_EXAMPLES)]
    Stats(StatsArgs),
    /// Show a call with everything it called, as a tree.
    #[command(after_help = "Examples:\n  alknet-agent audit trace 5f0c2e9a77d1b3460000000000000012")]
    Trace(TraceArgs),
    /// Tell where a tool came from: who wrote it, when, under which grant, and what it did.
    #[command(after_help = PROVENANCE_EXAMPLES)]
    Provenance(ProvenanceArgs),
    /// Have the host sign what its log is now; keep the answer where the host cannot change it.
    #[command(after_help = CHECKPOINT_EXAMPLES)]
    Checkpoint(CheckpointArgs),
    /// Prove that a record is in the log, or that the log only grew since an earlier size.
    #[command(after_help = PROVE_EXAMPLES)]
    Prove(ProveArgs),
    /// Write records with all that proves them to a file, for somebody who has no access to the host.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Check the log on this machine, or exported evidence, without a host: every record, hash and signature.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Make the query index of a stopped host anew from its log.
    #[command(after_help = "Examples:\n  alknet-agent audit reindex")]
    Reindex(ReindexArgs),
    /// Remove old records and their sources; their hashes stay, and the removal is itself on record.
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(PruneArgs),
}

/// Which records.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only records of this kind, such as `call.refused`.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only records of this session.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// Only records of this operation.
    #[arg(long, value_name = "OPERATION")]
    pub(crate) operation: Option<String>,
    /// Only records of calls by this identity.
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) caller: Option<String>,
    /// Only records of calls that were decided on this authority.
    #[arg(long, value_name = "LABEL")]
    pub(crate) authority: Option<String>,
    /// Only records with this outcome, such as `ok` or `FORBIDDEN`.
    #[arg(long, value_name = "CODE")]
    pub(crate) outcome: Option<String>,
    /// Only records of the call tree below this root call.
    #[arg(long, value_name = "CALL_ID")]
    pub(crate) root: Option<String>,
    /// Only records from this time on: `2026-01-31T12:00:00Z`, or how long ago, such as `2h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only records before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

/// A point in time, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Seconds since the Unix epoch.
    At(u64),
    /// This long before now.
    Ago(Duration),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Go on behind the records that a `--json` answer ended with: its `next`.
    #[arg(long, value_name = "RECORD")]
    pub(crate) after: Option<u64>,
    /// At most this many records.
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Begin this many records before the end.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) last: u64,
    /// Go on printing what is recorded, until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// The folder with the log; by default this host's.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
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
#[group(id = "subject", required = true, multiple = false, args = ["operation", "digest", "call", "output"])]
pub(crate) struct ProvenanceArgs {
    /// The tool, such as `session/word_count`.
    #[arg(value_name = "session/NAME")]
    pub(crate) operation: Option<String>,
    /// The SHA-256 of the tool's source, instead of its name.
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<String>,
    /// A call of the tool, or one that the tool made.
    #[arg(long, value_name = "CALL_ID")]
    pub(crate) call: Option<String>,
    /// The digest of an output, as records of finished calls show it.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) output: Option<String>,
    /// The session that holds the tool; by default the one opened last in this folder.
    #[arg(long, value_name = "ID", conflicts_with_all = ["digest", "call", "output"])]
    pub(crate) session: Option<String>,
    /// This version of the tool instead of the latest.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["digest", "call", "output"])]
    pub(crate) version: Option<u64>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// The file to write it to; it must not be there yet. Without it, it is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
#[group(id = "claim", required = true, multiple = false, args = ["record", "from"])]
pub(crate) struct ProveArgs {
    /// The record to prove, by its index.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Option<u64>,
    /// Prove that the log of this size is the beginning of the log now.
    #[arg(long, value_name = "SIZE")]
    pub(crate) from: Option<u64>,
    /// The file for the record's proof with its checkpoint (C2SP tlog-proof); it must not be there yet.
    #[arg(long, value_name = "FILE", requires = "record")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// The file to write; it must not be there yet. Without it, the evidence is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write only the in-toto Statements, one signed DSSE envelope a line.
    #[arg(long)]
    pub(crate) in_toto: bool,
    /// A checkpoint kept elsewhere: show that the log goes on from it.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Go on behind the records of an earlier export.
    #[arg(long, value_name = "RECORD")]
    pub(crate) after: Option<u64>,
    /// At most this many records.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The folder with the log; by default this host's.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Evidence that `audit export` wrote, instead of a log.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    pub(crate) bundle: Option<PathBuf>,
    /// The key that must have signed it: a fingerprint, or a file holding one; by default this host's log key.
    #[arg(long, value_name = "FILE|ed25519:…")]
    pub(crate) key: Option<String>,
    /// A checkpoint kept elsewhere: the log must still begin with what it covers.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReindexArgs {
    /// The folder with the log; by default this host's.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// The time before which records may go: `2026-01-31T12:00:00Z`, or how long ago, such as `90d`.
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Moment,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

impl Moment {
    /// Microseconds since the Unix epoch.
    pub(crate) fn unix_micros(self, now: u64) -> u64 {
        match self {
            Self::At(seconds) => seconds.saturating_mul(1_000_000),
            Self::Ago(time) => now.saturating_sub(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(seconds) = moment(text) {
            return Ok(Self::At(seconds));
        }
        duration(text)
            .map(Self::Ago)
            .map_err(|_| "expected a time like `2026-01-31T12:00:00Z`, or how long ago, like `2h`".to_owned())
    }
}

pub(super) const AUDIT_EXAMPLES: &str = "\
Examples:
  alknet-agent audit show --outcome FORBIDDEN
  alknet-agent audit provenance session/word_count
  alknet-agent audit export --session 5f0c2e9a77d1b346 --out evidence.json
  alknet-agent audit verify";

const SHOW_EXAMPLES: &str = "\
Examples:
  alknet-agent audit show
  alknet-agent audit show --operation fs/read --limit 10
  alknet-agent audit show --kind session.opened --since 7d
  alknet-agent audit show --caller operator --outcome FORBIDDEN --json";

const TAIL_EXAMPLES: &str = "\
Examples:
  alknet-agent audit tail --follow
  alknet-agent audit tail --last 1000 --outcome FORBIDDEN --json

It reads the log's files, so it leaves no record and needs no host, but the right to read them.";

const STATS_EXAMPLES: &str = "\
Examples:
  alknet-agent audit stats
  alknet-agent audit stats --since 24h --caller operator";

const PROVENANCE_EXAMPLES: &str = "\
Examples:
  alknet-agent audit provenance session/word_count
  alknet-agent audit provenance session/word_count --version 1
  alknet-agent audit provenance --call 5f0c2e9a77d1b3460000000000000012
  alknet-agent audit provenance --digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const CHECKPOINT_EXAMPLES: &str = "\
Examples:
  alknet-agent audit checkpoint --out /media/safe/checkpoint-2026-01-31";

const PROVE_EXAMPLES: &str = "\
Examples:
  alknet-agent audit prove 4711 --out record.tlog-proof
  alknet-agent audit prove --from 4000 --json";

const EXPORT_EXAMPLES: &str = "\
Examples:
  alknet-agent audit export --session 5f0c2e9a77d1b346 --out evidence.json
  alknet-agent audit export --operation session/word_count --in-toto --out word_count.intoto.jsonl
  alknet-agent audit export --since 24h --checkpoint yesterday --out today.json

Whoever has the file and the log's key checks it with `audit verify --bundle FILE --key ed25519:…`.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  alknet-agent audit verify
  alknet-agent audit verify --dir backup/audit --key ed25519:1c9f…
  alknet-agent audit verify --bundle evidence.json --key ed25519:1c9f… --checkpoint yesterday

Exit code 5 means that it is not what the host signed; the message says where.";

const PRUNE_EXAMPLES: &str = "\
Examples:
  alknet-agent audit prune --before 90d

It takes the scope `audit:prune`.";
