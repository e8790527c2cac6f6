//! `vault`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::UnlockArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Give a vault to a host whose key is a file. The host must be stopped; its public key stays.
    ///
    /// The host's key is sealed in the vault and the file removed, so that peers need nothing new and the audit log goes
    /// on. The words open the sealed key, but do not replace it: back up `host.key.sealed` and `keys.json` too. A host
    /// whose file may be known to others is better set up anew, with `init --vault`: then it has another public key.
    #[command(after_help = CREATE_EXAMPLES)]
    Create(VaultCreateArgs),
    /// Change the password of the vault. The words and all keys stay; a running host is not disturbed.
    #[command(after_help = PASSWORD_EXAMPLES)]
    Password(VaultPasswordArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VaultCreateArgs {
    /// Where the vault's new password is read from, instead of asking: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Make the vault from these words instead of fresh ones: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) restore: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VaultPasswordArgs {
    #[command(flatten)]
    pub(crate) unlock: UnlockArgs,
    /// Where the new password is read from, instead of asking: a file with mode 0600, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_password_file: Option<PathBuf>,
}

pub(super) const VAULT_EXAMPLES: &str = "\
Examples:
  alknet-agent vault create                  for a host whose key is a file
  alknet-agent vault password                asks for the old password, then for the new one";

const CREATE_EXAMPLES: &str = "\
Examples:
  alknet-agent vault create
  alknet-agent vault create --password-file /run/password

The words of the new vault are shown once.";

const PASSWORD_EXAMPLES: &str = "\
Examples:
  alknet-agent vault password
  alknet-agent vault password --password-file old --new-password-file new";
