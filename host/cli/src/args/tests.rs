use clap::{CommandFactory as _, Parser as _};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
    let words = std::iter::once("alknet-agent").chain(line.split_whitespace());
    Cli::try_parse_from(words).map_err(|error| error.kind())
}

#[test]
fn the_parser_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn these_are_accepted() {
    let fingerprint = format!("ed25519:{}", "0a".repeat(32));
    let node = "0a".repeat(32);
    let lines = [
        "init",
        "init some/dir",
        "serve --log debug",
        "serve --config x.toml",
        "--config x.toml --json serve",
        "call services/list",
        "call fs/list {\"path\":\".\"}",
        "call fs/list @input.json --json",
        "call fs/list - --timeout 500ms",
        "call a/b {} --key k --token-file -",
        &format!("call a/b --connect localhost:4270 --fingerprint {fingerprint}"),
        &format!("call a/b --iroh {node} --connect 127.0.0.1:1"),
        &format!("call a/b --iroh {fingerprint}"),
        "vault create --password-file - --restore words",
        "vault password --password-file a --new-password-file -",
        "session open",
        "session open --profile p --env a/b,c/d --ttl 1h --label l --declarations",
        "session register t.ts",
        "session register t.ts --name n --description d --input-schema i --output-schema o --env a/b --replace",
        "session register t.js --example {} --example {} --session abc",
        "session invoke n {} --session abc",
        "session run f.ts {} --env a/b",
        "session list",
        "session remove n",
        "session close --session abc",
        "audit show --session s --operation o/p --caller c --outcome ok --limit 3",
        "audit trace 00000000000000000000000000000001",
        "audit provenance session/x",
        "audit provenance --digest abc",
        "audit provenance session/x --version 2 --session s",
        "audit provenance --call 00 --json",
        "audit provenance --output 00",
        "audit show --kind k --authority a --root 00 --since 2h --until 2026-01-31T12:00:00Z --after 7",
        "audit tail --follow --last 5 --kind call.refused",
        "audit stats --since 1d",
        "audit checkpoint --out f",
        "audit prove 7 --out f",
        "audit prove --from 7",
        "audit export --session s --in-toto --checkpoint c --out f",
        "audit verify --dir d --key ed25519:00",
        "audit verify --bundle f --key ed25519:00 --checkpoint c",
        "audit reindex --dir d",
        "audit prune --before 90d",
        "key show --json",
        "key api-key",
        "demo",
        "demo --path . --json",
        "reference",
    ];
    for line in lines {
        parse(line).unwrap_or_else(|kind| panic!("{line}: {kind:?}"));
    }
}

#[test]
fn these_are_refused() {
    use clap::error::ErrorKind::*;
    let fingerprint = format!("ed25519:{}", "0a".repeat(32));
    let both = format!("call a/b --iroh {} --fingerprint {fingerprint}", "0a".repeat(32));
    let lines = [
        ("", DisplayHelpOnMissingArgumentOrSubcommand),
        ("frobnicate", InvalidSubcommand),
        ("call", MissingRequiredArgument),
        ("call a/b {} extra", UnknownArgument),
        ("call a/b --fingerprint ed25519:xyz", ValueValidation),
        ("call a/b --iroh abc", ValueValidation),
        (&both, ArgumentConflict),
        ("call a/b --timeout soon", ValueValidation),
        ("call a/b --token alk_secret", UnknownArgument),
        ("serve --log loud", InvalidValue),
        ("session", DisplayHelpOnMissingArgumentOrSubcommand),
        ("session open --ttl 0", ValueValidation),
        ("session register", MissingRequiredArgument),
        ("audit provenance", MissingRequiredArgument),
        ("audit provenance session/x --digest abc", ArgumentConflict),
        ("audit provenance --call 00 --version 1", ArgumentConflict),
        ("audit prove", MissingRequiredArgument),
        ("audit prove 7 --from 3", ArgumentConflict),
        ("audit prune", MissingRequiredArgument),
        ("audit prune --before yesterday", ValueValidation),
        ("audit verify --dir d --bundle f", ArgumentConflict),
        ("audit show --limit 0", ValueValidation),
        ("audit show --limit 1001", ValueValidation),
        ("key", DisplayHelpOnMissingArgumentOrSubcommand),
    ];
    for (line, expected) in lines {
        assert_eq!(parse(line).map(|_| ()), Err(expected), "{line}");
    }
}

#[test]
fn help_has_examples_and_top_level_help_the_exit_codes() {
    fn visit(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        if command.is_hide_set() || command.get_name() == "help" {
            return;
        }
        assert!(command.get_about().is_some(), "{path} has a description");
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains("Examples:\n  alknet-agent "), "{path} has examples");
        for subcommand in command.get_subcommands() {
            visit(subcommand, &path);
        }
    }
    let command = Cli::command();
    visit(&command, "");
    let long = Cli::command().render_long_help().to_string();
    for code in ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", " 70  ", "130  "] {
        assert!(long.contains(code), "{code} in:\n{long}");
    }
}

#[test]
fn lists_of_operations_are_split() {
    let Ok(Cli { command: Command::Session(SessionCommand::Open(open)), .. }) =
        parse("session open --env a/b,c/d --ttl 90m")
    else {
        panic!("session open");
    };
    assert_eq!(open.env, Some(vec!["a/b".to_owned(), "c/d".to_owned()]));
    assert_eq!(open.ttl.map(|ttl| ttl.as_secs()), Some(5_400));
}
