//! `session`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ClientArgs, parse_time};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Open a session and remember it for the commands that follow.
    #[command(after_help = OPEN_EXAMPLES)]
    Open(OpenArgs),
    /// Register a tool: compile it, run its examples, and keep it in the session.
    #[command(after_help = REGISTER_EXAMPLES)]
    Register(RegisterArgs),
    /// Run a registered tool; prints its output as `call` does.
    #[command(after_help = INVOKE_EXAMPLES)]
    Invoke(InvokeArgs),
    /// Take the items of a registered subscription, one a line, until it ends or you stop.
    #[command(after_help = SUBSCRIBE_EXAMPLES)]
    Subscribe(InvokeArgs),
    /// Run a script once, without registering it.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// List the tools of the session.
    #[command(after_help = "Examples:\n  alknet-agent session list\n  alknet-agent session list --json")]
    List(ListArgs),
    /// Remove a tool from the session.
    #[command(after_help = "Examples:\n  alknet-agent session remove word_count")]
    Remove(RemoveArgs),
    /// End the session; its tools are gone.
    #[command(after_help = "Examples:\n  alknet-agent session close")]
    Close(ListArgs),
}

/// Which session.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SessionRef {
    /// The session's id; by default the one opened last in this folder.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The profile that says what may be granted.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The operations to ask for; by default all the profile grants.
    #[arg(long, value_name = "OPERATION,…", value_delimiter = ',')]
    pub(crate) env: Option<Vec<String>>,
    /// How long the session lives, such as 30m or 1h.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) ttl: Option<Duration>,
    /// A name for people, shown in the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Make tools do the same again for the same inputs: randomness comes from the seed (drawn where none is given),
    /// the clock stands still.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub(crate) deterministic: Option<Option<String>>,
    /// Print the TypeScript declarations of what was granted on standard output, the rest on standard error.
    #[arg(long)]
    pub(crate) declarations: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// What kind of operation a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ToolKind {
    /// It only reads.
    Query,
    /// It may change something.
    Mutation,
    /// An async generator function: it answers with items.
    Sub,
}

impl ToolKind {
    /// The kind's name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Sub => "sub",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The tool: `.ts` or `.js`, WebAssembly text in `.wat`, or a component in `.wasm`.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Another file of a script, below the folder of the first, which it imports; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// How the tool answers; by default it is a mutation.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) kind: Option<ToolKind>,
    /// The tool's name in the session; by default the file's name without its ending.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What the tool does, in a sentence.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// A file with the JSON Schema of the input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input_schema: Option<PathBuf>,
    /// A file with the JSON Schema of the output.
    #[arg(long, value_name = "FILE")]
    pub(crate) output_schema: Option<PathBuf>,
    /// The operations the tool may call; by default all of the session's.
    #[arg(long, value_name = "OPERATION,…", value_delimiter = ',')]
    pub(crate) env: Option<Vec<String>>,
    /// An example the host checks before it accepts the tool, `{input, output}` or `{input, error}`; may be repeated.
    #[arg(long = "example", value_name = "JSON")]
    pub(crate) examples: Vec<String>,
    /// Replace a tool of the same name by a new version.
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) session: SessionRef,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArgs {
    /// The tool's name, with or without `session/`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The input: JSON, `@FILE` for a file with JSON, `-` for standard input; by default `{}`.
    #[arg(value_name = "JSON|@FILE|-")]
    pub(crate) input: Option<String>,
    #[command(flatten)]
    pub(crate) session: SessionRef,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The script: `.ts` or `.js`.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Another file of the script, below the folder of the first, which it imports; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// The input: JSON, `@FILE` for a file with JSON, `-` for standard input; by default `{}`.
    #[arg(value_name = "JSON|@FILE|-")]
    pub(crate) input: Option<String>,
    /// The operations the script may call; by default all of the session's.
    #[arg(long, value_name = "OPERATION,…", value_delimiter = ',')]
    pub(crate) env: Option<Vec<String>>,
    #[command(flatten)]
    pub(crate) session: SessionRef,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) session: SessionRef,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The tool's name, with or without `session/`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) session: SessionRef,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

pub(super) const SESSION_EXAMPLES: &str = "\
Examples:
  alknet-agent session open --env fs/list,fs/read
  alknet-agent session register word_count.ts
  alknet-agent session invoke word_count '{\"dir\":\".\"}'
  alknet-agent session close";

const OPEN_EXAMPLES: &str = "\
Examples:
  alknet-agent session open
  alknet-agent session open --env fs/list,fs/read --ttl 1h --label \"count words\"
  alknet-agent session open --declarations > env.d.ts
  alknet-agent session open --deterministic=today

The session's id is kept in `.alknet-agent/cli-session`, readable by you alone.";

const REGISTER_EXAMPLES: &str = "\
Examples:
  alknet-agent session register word_count.ts
  alknet-agent session register count.ts --name word_count --replace
  alknet-agent session register main.ts --with lib/words.ts --name word_count
  alknet-agent session register watch.ts --kind sub
  alknet-agent session register hash.wasm
  alknet-agent session register twice.js --example '{\"input\":{\"n\":2},\"output\":{\"n\":4}}'

Beside `tool.ts`, a file `tool.schema.json` may hold what is not given as an option:
{description, kind, input_schema, output_schema, error_schemas, env, examples}. Without schemas, anything goes.";

const INVOKE_EXAMPLES: &str = "\
Examples:
  alknet-agent session invoke word_count '{\"dir\":\".\"}'
  alknet-agent session invoke word_count @input.json --json";

const SUBSCRIBE_EXAMPLES: &str = "\
Examples:
  alknet-agent session subscribe watch '{\"every_ms\":1000}'
  alknet-agent session subscribe watch | head -n 3";

const RUN_EXAMPLES: &str = "\
Examples:
  alknet-agent session run survey.ts
  alknet-agent session run survey.ts '{\"dir\":\"src\"}' --env fs/list

The output goes to standard output; the script's log and a table of its calls go to standard error.
With --json everything goes to standard output as {output, logs, calls}.";
