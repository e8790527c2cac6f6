//! The command line, as typed. What it means is found out by the commands.

mod access;
mod audit;
mod call;
mod manage;
mod session;
mod vault;

use std::path::PathBuf;
use std::time::Duration;

use alknet_core::Scope;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::failure::CommandErrorKind;

pub(crate) use access::{CanArgs, ExplainArgs};
pub(crate) use audit::{
    AuditCommand, CheckpointArgs, ExportArgs, FilterArgs, ProveArgs, ProvenanceArgs, PruneArgs, ReindexArgs,
    ShowArgs, StatsArgs, TailArgs, TraceArgs, VerifyArgs,
};
pub(crate) use call::{CallArgs, ClientArgs};
pub(crate) use manage::{
    ApiKeyCommand, ApiKeyCreateArgs, PeerAddArgs, PeerCommand, PeerRotateArgs, SecretCommand,
    SecretDeleteArgs, SecretRekeyArgs, SecretValueArgs,
};
pub(crate) use session::{
    InvokeArgs, ListArgs, OpenArgs, RegisterArgs, RemoveArgs, RunArgs, SessionCommand, SessionRef,
};
pub(crate) use vault::{VaultCommand, VaultCreateArgs, VaultPasswordArgs};

/// A host that agents build their own tools on, under one authority model and a tamper-evident record.
///
/// Agents connect over QUIC, discover operations, open a session and register tools in it, which then run
/// confined and may call only what the session was granted. `alknet-agent demo` shows the whole story.
#[derive(Debug, Parser)]
#[command(name = "alknet-agent", bin_name = "alknet-agent", version, after_help = TOP_EXAMPLES, after_long_help = top_after_long_help())]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Print results as JSON on standard output and errors as JSON objects on standard error.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// The configuration file; by default `alknet-agent.toml` here or in the nearest folder above.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// What to log on standard error: `serve` logs `info` by default, every other command `error`.
    #[arg(long, global = true, value_name = "LEVEL", value_enum, help_heading = "Global options")]
    pub(crate) log: Option<LogLevel>,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong.
    Error,
    /// What looks wrong.
    Warn,
    /// What a host's operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up a host in a folder: a commented configuration, the host's key and an operator's key.
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Run the host until it is told to stop (Ctrl-C or SIGTERM); SIGHUP reads identities again.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Call one operation of a host: JSON in, JSON out.
    #[command(after_help = call::CALL_EXAMPLES)]
    Call(CallArgs),
    /// Open a session, register tools in it and run them.
    #[command(subcommand, after_help = session::SESSION_EXAMPLES)]
    Session(SessionCommand),
    /// Read the record of what happened, and check that nobody changed it.
    #[command(subcommand, after_help = audit::AUDIT_EXAMPLES)]
    Audit(AuditCommand),
    /// Show the host's public key, or make a key for a client.
    #[command(subcommand, after_help = KEY_EXAMPLES)]
    Key(KeyCommand),
    /// Store credentials in the vault that operations use and nobody reads.
    #[command(subcommand, after_help = manage::SECRET_EXAMPLES)]
    Secret(SecretCommand),
    /// Make the vault of a host that has none, or change its password.
    #[command(subcommand, after_help = vault::VAULT_EXAMPLES)]
    Vault(VaultCommand),
    /// Manage who may connect, by key or by token.
    #[command(subcommand, after_help = manage::PEER_EXAMPLES)]
    Peer(PeerCommand),
    /// Manage API keys: bearer tokens with scopes.
    #[command(subcommand, name = "apikey", after_help = manage::API_KEY_EXAMPLES)]
    ApiKey(ApiKeyCommand),
    /// Tell whether an identity may run an operation, and by which rules.
    #[command(after_help = access::CAN_EXAMPLES)]
    Can(CanArgs),
    /// Tell why a recorded call was allowed or refused, and what would be decided now.
    #[command(after_help = access::EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Show the whole story on a directory: host, agent, tool, attacks, provenance, verification.
    ///
    /// Starts a host on the loopback interface with its data in a temporary folder, connects a scripted agent
    /// over QUIC, and removes everything at the end. The directory is only read. Any step that does not do what
    /// it says makes the exit code 1.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Print this reference as Markdown.
    #[command(hide = true)]
    Reference(ReferenceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReferenceArgs {
    /// The page to print.
    #[arg(value_name = "PAGE", value_enum, default_value = "commands")]
    pub(crate) page: ReferencePage,
}

/// A generated page of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferencePage {
    /// `docs/cli.md`.
    Commands,
    /// `docs/operations.md`.
    Operations,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to set up; it is made if it does not exist.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Derive the host's keys from a vault: 24 words, shown once, and sealed on disk under a password.
    ///
    /// Without it, the host's key is a file that only its owner can read, and there are no stored credentials.
    #[arg(long)]
    pub(crate) vault: bool,
    /// Where the vault's new password is read from, instead of asking: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "vault")]
    pub(crate) password_file: Option<PathBuf>,
    /// Make the vault from these words instead of fresh ones: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "vault")]
    pub(crate) restore: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
}

/// How a vault is unlocked.
#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    /// Where the vault's password is read from: a file with mode 0600, or - for standard input.
    ///
    /// By default the systemd credential `alknet-agent.password` where there is one, else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Show the host's public key: its fingerprint and its node id.
    #[command(after_help = "Examples:\n  alknet-agent key show\n  alknet-agent key show --json")]
    Show,
    /// Make an API key and show it once, with the lines for the configuration that let its holder in.
    #[command(after_help = API_KEY_EXAMPLES)]
    ApiKey(ApiKeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApiKeyArgs {
    /// A scope the holder gets; give the option again for another one.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<Scope>,
    /// How long the key works, such as 30d; by default until it is taken out of the configuration.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) expires_in: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The directory the demo's tool reads.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) path: PathBuf,
}

const TOP_EXAMPLES: &str = "\
Examples:
  alknet-agent demo                          the whole story, in seconds
  alknet-agent init && alknet-agent serve    a host in this folder
  alknet-agent call services/list            what it offers, from another shell

`alknet-agent help COMMAND` has more; `alknet-agent --help` lists the exit codes.";

const INIT_EXAMPLES: &str = "\
Examples:
  alknet-agent init                          here
  alknet-agent init /srv/agents              in another folder
  alknet-agent init --vault                  with a vault, for stored credentials

Nothing is ever overwritten.";

const SERVE_EXAMPLES: &str = "\
Examples:
  alknet-agent serve
  alknet-agent serve --config /srv/agents/alknet-agent.toml --log debug";

const KEY_EXAMPLES: &str = "\
Examples:
  alknet-agent key show
  alknet-agent key api-key";

const API_KEY_EXAMPLES: &str = "\
Examples:
  alknet-agent key api-key --scope fs:read
  alknet-agent key api-key --scope fs:read --scope session --expires-in 30d

Nothing is written: paste the lines into alknet-agent.toml and send the host SIGHUP.";

const DEMO_EXAMPLES: &str = "\
Examples:
  alknet-agent demo                          on the current directory
  alknet-agent demo --path ~/notes
  alknet-agent demo --json                   one JSON object for each step, then a summary";

fn parse_time(text: &str) -> Result<Duration, String> {
    crate::config::duration(text).map_err(|expected| format!("expected {expected}"))
}

fn top_after_long_help() -> String {
    format!("{TOP_EXAMPLES}\n\nExit codes:\n{}", exit_codes())
}

/// The exit codes with what they mean, one a line.
pub(crate) fn exit_codes() -> String {
    let success = (0, "success");
    let failures = CommandErrorKind::ALL.iter().map(|kind| (kind.code(), kind.meaning()));
    let lines =
        std::iter::once(success).chain(failures).map(|(code, meaning)| format!("  {code:>3}  {meaning}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
