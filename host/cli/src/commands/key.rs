//! `key`: public halves to hand out, and API keys to let clients in.

use std::path::Path;

use alknet_core::{Clock as _, Fingerprint, NewApiKey, PublicKey, Scope, SystemClock};
use serde_json::json;

use super::Context;
use crate::args::{ApiKeyArgs, KeyCommand};
use crate::config::{Utc, quote};
use crate::failure::{CommandError, CommandResult};
use crate::output::Output;
use crate::project::{Project, read_key};
use crate::vault::PublicKeys;

/// Runs a `key` command.
///
/// # Errors
/// A project or a key file that cannot be used, or a machine without randomness.
pub(crate) fn run(command: &KeyCommand, context: &Context) -> CommandResult {
    match command {
        KeyCommand::Show => show(context.config.as_deref(), context.output),
        KeyCommand::ApiKey(args) => api_key(args, context.output),
    }
}

/// Shows the public keys of the host, of its log and of its operator.
fn show(config: Option<&Path>, output: Output) -> CommandResult {
    let project = Project::find(config)?;
    let keys = PublicKeys::of(&project.layout)?;
    let (host, log) = (keys.identity, keys.audit);
    // A host may be moved without its operator's key.
    let operator = project.layout.operator_key();
    let operator = operator.exists().then(|| read_key(&operator)).transpose()?.map(|key| key.public());
    if output.is_json() {
        return output.json(&json!({
            "host": { "fingerprint": Fingerprint::from(&host).to_string(), "iroh_node_id": node_id(&host) },
            "audit": { "fingerprint": Fingerprint::from(&log).to_string() },
            "operator": operator.map(|key| json!({ "fingerprint": Fingerprint::from(&key).to_string() })),
        }));
    }
    let mut text = format!(
        "Host      {}\niroh node {}\nAudit log {}",
        Fingerprint::from(&host),
        node_id(&host),
        Fingerprint::from(&log)
    );
    if let Some(operator) = operator {
        text.push_str(&format!("\nOperator  {}", Fingerprint::from(&operator)));
    }
    output.text(&text)
}

/// Makes an API key and shows it once, with the block that lets its holder in. Nothing is written.
fn api_key(args: &ApiKeyArgs, output: Output) -> CommandResult {
    let expires_at = args.expires_in.map(|after| SystemClock.unix_seconds().saturating_add(after.as_secs()));
    let key = NewApiKey::generate()
        .map_err(|error| CommandError::internal(format!("cannot make a key: {error}")))?;
    let block = block(&key, &args.scopes, expires_at);
    if output.is_json() {
        return output.json(&json!({
            "token": *key.token,
            "prefix": key.prefix,
            "hash": key.hash.to_string(),
            "scopes": args.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
            "expires_at": expires_at.map(|at| Utc(at).to_string()),
            "toml": block,
        }));
    }
    output.text(&format!(
        "Token, shown only now; give it to the client as a file:\n\n{}\n\nFor the host's configuration; then send the host SIGHUP:\n\n{}",
        *key.token,
        block.trim_end()
    ))
}

/// The iroh node id of a key.
pub(crate) fn node_id(key: &PublicKey) -> String {
    hex::encode(key.as_bytes())
}

fn block(key: &NewApiKey, scopes: &[Scope], expires_at: Option<u64>) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| quote(scope.as_str())).collect();
    let mut block = format!(
        "[[api_key]]\nprefix = {}\nhash = {}\nscopes = [{}]\ndescription = \"\"\n",
        quote(&key.prefix),
        quote(&key.hash.to_string()),
        scopes.join(", ")
    );
    if let Some(at) = expires_at {
        block.push_str(&format!("expires_at = {}\n", Utc(at)));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use alknet_core::{AuthToken, Directory};

    #[test]
    fn the_block_lets_the_holder_of_the_token_in() {
        let key = NewApiKey::generate().unwrap();
        let scopes = [Scope::parse("fs:read").unwrap(), Scope::parse("a\"b").unwrap()];
        let block = block(&key, &scopes, Some(1_900_000_000));
        assert!(!block.contains(&key.token[8..]), "only the hash is in the block");
        let config = Config::parse(Path::new("x.toml"), block).unwrap();
        let directory = Directory::new(config.access.policy).unwrap();
        let token = || AuthToken::new(key.token.as_bytes());
        let identity = directory.token(&token(), 1_899_999_999).unwrap();
        assert_eq!(identity.id().as_str(), key.prefix);
        assert!(identity.grants().has_scope("fs:read") && identity.grants().has_scope("a\"b"));
        assert_eq!(directory.token(&token(), 1_900_000_000), None, "the key expires");
    }
}
