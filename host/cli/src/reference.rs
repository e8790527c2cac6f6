//! The generated pages of the documentation, as Markdown: the command line, made from the argument parser, and the
//! operations, made from their specifications.

mod operations;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use crate::args::{Cli, ReferencePage, exit_codes};
use crate::failure::CommandResult;

/// One page.
///
/// # Errors
/// What keeps the operations of a host from being set up.
pub(crate) async fn page(page: ReferencePage) -> CommandResult<String> {
    match page {
        ReferencePage::Commands => Ok(markdown()),
        ReferencePage::Operations => Box::pin(operations::markdown()).await,
    }
}

/// The whole of `docs/cli.md`.
pub(crate) fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = format!("{PREAMBLE}\n{}\n\n", long_about(&root));
    page.push_str("## Commands\n\n");
    contents(&root, 0, &mut page);
    page.push_str("\n## Options of every command\n\n");
    let global: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).collect();
    page.push_str(&options(&global));
    page.push_str(&format!("\n## Exit codes\n\n```text\n{}\n```\n\n", exit_codes()));
    page.push_str(OUTPUT);
    for command in visible(&root) {
        section(command, &mut page);
    }
    page
}

fn contents(command: &Command, depth: usize, page: &mut String) {
    for child in visible(command) {
        let path = path(child);
        let anchor = path.replace(' ', "-");
        let about = child.get_about().map(ToString::to_string).unwrap_or_default();
        page.push_str(&format!(
            "{}- [`{path}`](#{anchor}): {about}\n",
            "  ".repeat(depth)
        ));
        contents(child, depth + 1, page);
    }
}

fn section(command: &Command, page: &mut String) {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    page.push_str(&format!(
        "\n## {}\n\n{}\n\n```text\n{usage}\n```\n",
        path(command),
        long_about(command)
    ));
    let own = |arg: &&Arg| {
        !(arg.is_global_set() || arg.is_hide_set()) && arg.get_id() != "help" && arg.get_id() != "version"
    };
    let (connection, own): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(own)
        .partition(|arg| arg.get_help_heading() == Some(CONNECTION));
    if !own.is_empty() {
        page.push_str(&format!("\n{}", options(&own)));
    }
    if !connection.is_empty() {
        page.push_str(&format!("\n{CONNECTION}:\n\n{}", options(&connection)));
    }
    if let Some(after) = command.get_after_help() {
        page.push_str(&format!("\n```text\n{after}\n```\n"));
    }
    for child in visible(command) {
        section(child, page);
    }
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

/// The command as it is typed, without the program's name.
fn path(command: &Command) -> String {
    let full = command.get_bin_name().unwrap_or(command.get_name());
    full.strip_prefix("alknet-agent ").unwrap_or(full).to_owned()
}

fn long_about(command: &Command) -> String {
    command
        .get_long_about()
        .or(command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn options(arguments: &[&Arg]) -> String {
    let mut table = "| argument | meaning |\n|---|---|\n".to_owned();
    for argument in arguments {
        table.push_str(&format!(
            "| `{}` | {} |\n",
            cell(&spelling(argument)),
            cell(&meaning(argument))
        ));
    }
    table
}

fn spelling(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let value = value
        .filter(|_| argument.get_action().takes_values())
        .unwrap_or_default();
    match argument.get_long() {
        None => value,
        Some(long) if value.is_empty() => format!("--{long}"),
        Some(long) => format!("--{long} {value}"),
    }
}

fn meaning(argument: &Arg) -> String {
    let mut meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() && !matches!(argument.get_action(), ArgAction::SetTrue) {
        meaning.push_str(&format!(". One of {}.", values.join(", ")));
    }
    let defaults: Vec<String> = argument
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if !defaults.is_empty() && !matches!(argument.get_action(), ArgAction::SetTrue) {
        meaning.push_str(&format!(". Default: {}.", defaults.join(", ")));
    }
    meaning
}

/// The text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

const CONNECTION: &str = "Connection options";

const PREAMBLE: &str = "\
# alknet-agent: command line reference

<!-- Generated by `alknet-agent reference`. Change the help texts in host/cli/src/args, not this page. -->
";

const OUTPUT: &str = "\
## Output

Results go to standard output, everything else to standard error. People get text, in colours on a terminal
unless `NO_COLOR` is set; with `--json` every command prints its result as one JSON value on one line, and an
error as one object on standard error: `{code, message, retryable, details}`; `demo` prints one such line for each
step. `call` and `session invoke` print
the operation's output alone: on several lines on a terminal, on one line when it is piped.

A client command finds the host that runs in this folder or the nearest one above, its address, its key and the
operator's key, by itself; the connection options name another host. Tokens are read from files or from standard
input, never from the command line or the environment. An input is JSON on the command line, `@FILE` or `-`.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_this_one() {
        let kept = include_str!("../../../docs/cli.md");
        assert!(
            kept.trim_end() == markdown().trim_end(),
            "docs/cli.md is not what the commands say: run `cargo run -- reference > docs/cli.md`"
        );
    }

    #[test]
    fn every_command_has_a_section() {
        let page = markdown();
        for path in [
            "init",
            "serve",
            "call",
            "session register",
            "audit verify",
            "key show",
            "demo",
        ] {
            assert!(page.contains(&format!("\n## {path}\n")), "{path}");
        }
        assert!(!page.contains("## reference"));
    }
}
