//! `vault`: makes the vault of a host that has none, and changes its password.

use std::path::Path;

use alknet_audit::event::{Change, KeyChanged};
use alknet_core::Fingerprint;
use serde_json::json;

use super::Context;
use super::init::words_note;
use crate::args::{VaultCommand, VaultCreateArgs, VaultPasswordArgs};
use crate::assemble::while_recorded;
use crate::failure::{CommandError, CommandResult};
use crate::output::Output;
use crate::project::{Project, check_private_dir, read_key};
use crate::vault::{self, Adoption, HostKeys, KeyStorage, NewVault, PasswordSource};

/// Runs a `vault` command.
///
/// # Errors
/// A project, a vault or a log that cannot be used, or a password that will not do.
pub(crate) async fn run(command: &VaultCommand, context: &Context) -> CommandResult {
    let project = Project::find(context.config.as_deref())?;
    check_private_dir(project.layout.data_dir())?;
    // Debuggers and core dumps would show the seed.
    alknet_vault::forbid_dumps();
    match command {
        VaultCommand::Create(args) => create(args, &project, context.output).await,
        VaultCommand::Password(args) => password(args, &project, context.output),
    }
}

/// Puts the host's key into a new vault. The log is locked meanwhile, so that no host runs, and the change is on record
/// before it is in force.
async fn create(args: &VaultCreateArgs, project: &Project, output: Output) -> CommandResult {
    let layout = &project.layout;
    if KeyStorage::of(layout)? == KeyStorage::Vault {
        return Err(CommandError::configuration("this host has a vault already")
            .hint("`alknet-agent vault password` changes its password"));
    }
    let key = read_key(&layout.host_key())?;
    let made = NewVault::ask(args.password_file.as_deref(), args.restore.as_deref())?;
    let adoption = Adoption::new(layout, &made, &key)?;
    let fingerprint = Fingerprint::from(&key.public());
    let event = KeyChanged {
        fingerprint: Fingerprint::from(&made.public().identity).to_string(),
        purpose: "vault".to_owned(),
        change: Change::Added,
    };
    let commit = || {
        adoption.commit().map_err(|error| {
            let data = layout.data_dir().display();
            CommandError::configuration(format!("the vault was not made as a whole in {data}: {error}"))
                .hint("the host has its key all the same: run the command again, or start the host")
        })
    };
    while_recorded(&project.config, HostKeys::of_key(key), event, commit).await?;
    // Words that were given are known already.
    let words = args.restore.is_none().then(|| made.phrase());
    if output.is_json() {
        return output.json(&json!({
            "vault": layout.seed_file(),
            "fingerprint": fingerprint.to_string(),
            "words": words.as_ref().map(|words| words.as_str()),
        }));
    }
    let mut text = format!(
        "Vault          {}\nFingerprint    {fingerprint}, as before: no peer has to do anything\n\n\
         The host's key is sealed in {} and its file is gone. Copies of that file, in a backup for instance, are\n\
         still the host's identity.",
        layout.seed_file().display(),
        layout.sealed_key_file().display()
    );
    if let Some(words) = words {
        text.push_str("\n\n");
        text.push_str(&words_note(&words));
    }
    output.text(&text)
}

fn password(args: &VaultPasswordArgs, project: &Project, output: Output) -> CommandResult {
    if KeyStorage::of(&project.layout)? == KeyStorage::KeyFile {
        return Err(CommandError::configuration("this host has no vault")
            .hint("`alknet-agent vault create` makes one"));
    }
    let (current, new) = (args.unlock.password_file.as_deref(), args.new_password_file.as_deref());
    if current == Some(Path::new("-")) && new == current {
        return Err(CommandError::usage("standard input is both the old password and the new one")
            .hint("put one of them into a file"));
    }
    vault::change_password(&project.layout, &PasswordSource::of(current), &PasswordSource::of(new))?;
    if output.is_json() {
        return output.json(&json!({ "password_changed": true }));
    }
    output.text(
        "The password is changed; the words and the keys are the same. A copy of the old seed file, in a backup for\n\
         instance, still opens with the old password.",
    )
}
