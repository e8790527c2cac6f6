//! `secret`: credentials that operations use and nobody reads.

use std::path::Path;

use alknet_core::{Clock as _, CredentialStore as _, SystemClock};
use alknet_store::SqliteStore;
use alknet_vault::{Binding, CURRENT_KEY_VERSION, VaultServiceHandle};
use serde_json::{Value, json};

use super::{Context, managed};
use crate::args::{SecretCommand, SecretDeleteArgs, SecretRekeyArgs, SecretValueArgs};
use crate::config::Utc;
use crate::credentials::{check_name, check_value, uses};
use crate::failure::{CommandError, CommandResult};

use crate::output::{Align, Output, Table};
use crate::project::{Layout, Project};
use crate::vault::{self, KeyStorage, PasswordSource, VaultError};

/// Runs a `secret` command.
///
/// # Errors
/// A project, store or vault that cannot be used, or a name or value that will not do.
pub(crate) async fn run(command: &SecretCommand, context: &Context) -> CommandResult {
    let project = Project::find(context.config.as_deref())?;
    let store = managed::open(&project)?;
    let output = context.output;
    match command {
        SecretCommand::Set(args) => set(args, &project, &store, output),
        SecretCommand::Rotate(args) => rotate(args, &project, &store, output),
        SecretCommand::List => list(&project, &store, output),
        SecretCommand::Delete(args) => delete(args, &project, &store, output).await,
        SecretCommand::Rekey(args) => rekey(args, &project, &store, output),
    }
}

fn set(args: &SecretValueArgs, project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    if store.get(&args.name).is_some() {
        return Err(CommandError::configuration(format!("there is a credential `{}` already", args.name))
            .hint("`alknet-agent secret rotate` replaces its value"));
    }
    put(args, project, store)?;
    let name = &args.name;
    let used_by = uses(&project.config, name);
    if output.is_json() {
        return output.json(&json!({ "credential": name, "stored": true, "used_by": used_by }));
    }
    let next = if used_by.is_empty() {
        format!(
            "A target uses it with `credential = \"{name}\"` under [[http.target]] in {}.",
            project.config.file().display()
        )
    } else {
        format!("Used by {}.", used_by.join(", "))
    };
    output.text(&format!("Stored {name}. {next}"))
}

fn rotate(args: &SecretValueArgs, project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    if store.get(&args.name).is_none() {
        return Err(missing(&args.name).hint("`alknet-agent secret set` stores a new one"));
    }
    put(args, project, store)?;
    if output.is_json() {
        return output.json(&json!({ "credential": args.name, "rotated": true }));
    }
    output.text(&format!("Replaced {}. A running host takes it over within a second.", args.name))
}

/// Asks for the password, then for the value; encrypts, and stores.
fn put(args: &SecretValueArgs, project: &Project, store: &SqliteStore) -> CommandResult {
    check_name(&args.name).map_err(CommandError::usage)?;
    let password = PasswordSource::of(args.unlock.password_file.as_deref());
    if password == PasswordSource::Stdin && args.from.as_deref() == Some(Path::new("-")) {
        return Err(CommandError::usage("standard input is both the password and the value")
            .hint("put one of them into a file"));
    }
    let vault = unlock(&project.layout, &password)?;
    let prompt = format!("Value of {}: ", args.name);
    let value = vault::read_value(args.from.as_deref(), &prompt).map_err(VaultError::from)?;
    check_value(&value).map_err(CommandError::usage)?;
    let context = vault::context(&args.name);
    let blob = vault.encrypt(&value, newest(store), Binding::Context(&context)).map_err(VaultError::from)?;
    vault.lock();
    let stored =
        store.put_credentials(&[(args.name.clone(), vault::to_store(blob))], SystemClock.unix_seconds());
    stored.map_err(managed::failed)
}

fn list(project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let credentials = store.credentials();
    if output.is_json() {
        let listed: Vec<Value> = credentials
            .iter()
            .map(|credential| {
                json!({
                    "credential": credential.name,
                    "used_by": uses(&project.config, &credential.name),
                    "changed_at": Utc(credential.changed_at).to_string(),
                    "key_version": credential.key_version,
                })
            })
            .collect();
        return output.json(&json!({ "credentials": listed }));
    }
    if credentials.is_empty() {
        return output.text("There are no credentials; `alknet-agent secret set NAME` stores one.");
    }
    let columns = [
        ("credential", Align::Left),
        ("used by", Align::Left),
        ("changed", Align::Left),
        ("key", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for credential in &credentials {
        let used_by = uses(&project.config, &credential.name).join(", ");
        let used_by = if used_by.is_empty() { "nothing".to_owned() } else { used_by };
        let (changed, version) = (Utc(credential.changed_at).to_string(), credential.key_version.to_string());
        table.row([credential.name.clone(), used_by, changed, version]);
    }
    output.text(&table.render(""))
}

async fn delete(
    args: &SecretDeleteArgs,
    project: &Project,
    store: &SqliteStore,
    output: Output,
) -> CommandResult {
    if store.get(&args.name).is_none() {
        return Err(missing(&args.name));
    }
    let used_by = uses(&project.config, &args.name);
    if !used_by.is_empty() && !args.force {
        return Err(CommandError::configuration(format!("{} is used by {}", args.name, used_by.join(", ")))
            .hint("take it out of the configuration first, or add --force"));
    }
    store.delete(&args.name).await.map_err(managed::failed)?;
    if output.is_json() {
        return output.json(&json!({ "credential": args.name, "deleted": true }));
    }
    output.text(&format!("{} is gone", args.name))
}

fn rekey(args: &SecretRekeyArgs, project: &Project, store: &SqliteStore, output: Output) -> CommandResult {
    let vault = unlock(&project.layout, &PasswordSource::of(args.unlock.password_file.as_deref()))?;
    let version = newest(store).saturating_add(1);
    let mut anew = Vec::new();
    for name in store.names() {
        let Some(blob) = store.get(&name) else { continue };
        let context = vault::context(&name);
        let rotated = vault.rotate(&vault::of_store(&blob), version, Binding::Context(&context));
        let rotated = rotated.map_err(|error| {
            CommandError::configuration(format!("the credential `{name}` cannot be used: {error}"))
        })?;
        anew.push((name, vault::to_store(rotated)));
    }
    vault.lock();
    store.put_credentials(&anew, SystemClock.unix_seconds()).map_err(managed::failed)?;
    if output.is_json() {
        return output.json(&json!({ "key_version": version, "credentials": anew.len() }));
    }
    output.text(&format!("{} credentials are encrypted with key version {version}", anew.len()))
}

/// The key version that new data is encrypted with: the latest in use.
fn newest(store: &SqliteStore) -> u32 {
    let versions = store.credentials().into_iter().map(|credential| credential.key_version);
    versions.max().unwrap_or_default().max(CURRENT_KEY_VERSION)
}

fn unlock(layout: &Layout, password: &PasswordSource) -> CommandResult<VaultServiceHandle> {
    if KeyStorage::of(layout)? == KeyStorage::KeyFile {
        return Err(CommandError::configuration(
            "this host has no vault, which credentials are stored under",
        )
        .hint("`alknet-agent vault create` makes one; without, a target has a `credential_file`"));
    }
    // Debuggers and core dumps would show the seed.
    alknet_vault::forbid_dumps();
    Ok(vault::unlock(layout, password)?)
}

fn missing(name: &str) -> CommandError {
    CommandError::configuration(format!("there is no credential `{name}`"))
}
