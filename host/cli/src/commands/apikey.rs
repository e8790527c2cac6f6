//! `apikey`: bearer tokens, shown once and stored as a hash.

use alknet_core::{ApiKeyEntry, Clock as _, Grants, IdentityStore as _, NewApiKey, SystemClock};
use alknet_store::SqliteStore;
use serde_json::{Value, json};

use super::{Context, managed};
use crate::args::{ApiKeyCommand, ApiKeyCreateArgs};
use crate::config::Utc;
use crate::failure::{CommandError, CommandResult};
use crate::output::{Align, Output, Table};

use crate::project::Project;

/// Runs an `apikey` command.
///
/// # Errors
/// A project or a store that cannot be used, or a key that is not there.
pub(crate) async fn run(command: &ApiKeyCommand, context: &Context) -> CommandResult {
    let project = Project::find(context.config.as_deref())?;
    let store = managed::open(&project)?;
    let output = context.output;
    match command {
        ApiKeyCommand::Create(args) => create(args, &project, &store, output).await,
        ApiKeyCommand::List => list(&project, &store, output),
        ApiKeyCommand::Revoke(args) => revoke(&args.key, &project, &store, output).await,
    }
}

async fn create(
    args: &ApiKeyCreateArgs,
    project: &Project,
    store: &SqliteStore,
    output: Output,
) -> CommandResult {
    let now = SystemClock.unix_seconds();
    let key = NewApiKey::generate()
        .map_err(|error| CommandError::internal(format!("cannot make a key: {error}")))?;
    let entry = ApiKeyEntry {
        prefix: key.prefix.clone(),
        hash: key.hash,
        grants: Grants::from_scopes(args.scopes.iter().cloned()),
        description: args.description.clone(),
        expires_at: args.expires_in.map(|after| now.saturating_add(after.as_secs())),
    };
    managed::check(project, store, |policy| policy.api_keys.push(entry.clone()))?;
    store.put_api_key(&entry).await.map_err(managed::failed)?;
    if output.is_json() {
        let mut made = to_json(&entry, "store", now);
        if let Some(made) = made.as_object_mut() {
            made.insert("token".to_owned(), json!(*key.token));
        }
        return output.json(&made);
    }
    output.text(&format!(
        "Token, shown only now; give it to the client as a file:\n\n{}\n\nIts holder is {}. {}",
        *key.token,
        key.prefix,
        managed::IN_FORCE
    ))
}

async fn revoke(named: &str, project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let is_it = |entry: &&ApiKeyEntry| entry.prefix == named || entry.hash.to_string() == named;
    let stored = store.policy().api_keys;
    let found: Vec<&ApiKeyEntry> = stored.iter().filter(is_it).collect();
    let [entry] = found.as_slice() else {
        return Err(
            match (found.is_empty(), project.config.access.policy.api_keys.iter().any(|e| is_it(&e))) {
                (false, _) => CommandError::usage("several API keys begin like this; name one by its hash")
                    .hint("`alknet-agent apikey list --json` shows the hashes"),
                (true, true) => CommandError::configuration("this API key is part of the configuration")
                    .hint(format!("take it out of {}", project.config.file().display())),
                (true, false) => CommandError::configuration("there is no such API key"),
            },
        );
    };
    store.remove_api_key(&entry.hash).await.map_err(managed::failed)?;
    if output.is_json() {
        return output.json(&json!({ "prefix": entry.prefix, "revoked": true }));
    }
    output.text(&format!("{} is revoked. {}", entry.prefix, managed::IN_FORCE))
}

fn list(project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let now = SystemClock.unix_seconds();
    let (configured, stored) = (&project.config.access.policy.api_keys, store.policy().api_keys);
    let all = configured.iter().map(|key| (key, "configuration"));
    let all: Vec<(&ApiKeyEntry, &str)> = all.chain(stored.iter().map(|key| (key, "store"))).collect();
    if output.is_json() {
        let keys: Vec<Value> = all.iter().map(|(key, origin)| to_json(key, origin, now)).collect();
        return output.json(&json!({ "api_keys": keys }));
    }
    if all.is_empty() {
        return output.text("There are no API keys; `alknet-agent apikey create` makes one.");
    }
    let columns = [
        ("key", Align::Left),
        ("from", Align::Left),
        ("expires", Align::Left),
        ("scopes", Align::Left),
        ("description", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (key, origin) in all {
        let expires = match key.expires_at {
            None => "never".to_owned(),
            Some(at) if at <= now => format!("expired {}", Utc(at)),
            Some(at) => Utc(at).to_string(),
        };
        table.row([
            key.prefix.clone(),
            origin.to_owned(),
            expires,
            scopes(key).join(" "),
            key.description.clone(),
        ]);
    }
    output.text(&table.render(""))
}

fn to_json(key: &ApiKeyEntry, origin: &str, now: u64) -> Value {
    json!({
        "prefix": key.prefix,
        "hash": key.hash.to_string(),
        "from": origin,
        "scopes": scopes(key),
        "description": key.description,
        "expires_at": key.expires_at.map(|at| Utc(at).to_string()),
        "expired": key.expires_at.is_some_and(|at| at <= now),
    })
}

fn scopes(key: &ApiKeyEntry) -> Vec<String> {
    key.grants.scopes().map(ToString::to_string).collect()
}
