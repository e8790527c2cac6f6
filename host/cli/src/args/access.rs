//! `can` and `explain`.

use clap::Args;

use super::ClientArgs;

#[derive(Debug, Args)]
pub(crate) struct CanArgs {
    /// The id of a peer or an API key; `anonymous` is a caller without an identity.
    #[arg(value_name = "IDENTITY")]
    pub(crate) identity: String,
    /// The operation.
    #[arg(value_name = "OPERATION")]
    pub(crate) operation: String,
    /// An input to hold against the operation's schema as well: JSON, @FILE, or - for standard input.
    #[arg(value_name = "INPUT")]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The id of the call, as `audit show` prints it.
    #[arg(value_name = "CALL_ID")]
    pub(crate) call: String,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

pub(super) const CAN_EXAMPLES: &str = "\
Examples:
  alknet-agent can ci fs/read
  alknet-agent can alk_1f2e http/fetch
  alknet-agent can anonymous services/list

Asks the gate of the running host, with the operator's key. The exit code is 0 when the call would be allowed, else 1.";

pub(super) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  alknet-agent explain 5f0c2e9a77d1b3460000000000000012";
