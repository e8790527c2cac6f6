//! `init`: a folder becomes a host's project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use alknet_core::{Ed25519SecretKey, Fingerprint};
use serde_json::json;

use super::Context;
use crate::args::InitArgs;
use crate::config::{Config, DATA_DIR, FILE_NAME, PeerLine, Template, operator_scopes};
use crate::failure::{CommandError, CommandResult};
use crate::project::{Layout, create_key, create_private_dir, create_private_file};
use crate::vault::NewVault;

/// What was set up.
#[derive(Debug)]
pub(crate) struct Initialized {
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// The data folder.
    pub(crate) layout: Layout,
    /// The folder that `fs/*` operations see.
    pub(crate) files: PathBuf,
    /// The host's key.
    pub(crate) host: Fingerprint,
    /// The operator's key.
    pub(crate) operator: Fingerprint,
    /// What is behind the host's key.
    pub(crate) key: NewKey,
}

/// The key of a host that is set up.
pub(crate) enum NewKey {
    /// A key in a file.
    File(Box<Ed25519SecretKey>),
    /// Keys of a vault.
    Vault(Box<NewVault>),
}

/// Sets up a project and says what to do next.
///
/// # Errors
/// What is in the way; nothing is left behind then.
pub(crate) fn run(args: &InitArgs, context: &Context) -> CommandResult {
    let output = context.output;
    let done = init(&args.dir, new_key(args)?)?;
    // Words that were given are known already.
    let words = match &done.key {
        NewKey::Vault(vault) if args.restore.is_none() => Some(vault.phrase()),
        NewKey::Vault(_) | NewKey::File(_) => None,
    };
    if output.is_json() {
        return output.json(&json!({
            "config": done.config,
            "data_dir": done.layout.data_dir(),
            "files": done.files,
            "fingerprint": done.host.to_string(),
            "operator_fingerprint": done.operator.to_string(),
            "vault": matches!(done.key, NewKey::Vault(_)),
            "words": words.as_ref().map(|words| words.as_str()),
        }));
    }
    output.text(&format!(
        "Configuration  {}\nKeys and log   {}\nFiles          {}, which agents may read\nFingerprint    {}\n{}\n\
         Next: {}, then from another shell `alknet-agent call services/list`.",
        done.config.display(),
        done.layout.data_dir().display(),
        done.files.display(),
        done.host,
        key_note(&done, words.as_ref().map(|words| words.as_str())),
        serve_hint(&args.dir),
    ))
}

/// The key as the command line asks for it.
fn new_key(args: &InitArgs) -> CommandResult<NewKey> {
    if !args.vault {
        return Ok(NewKey::File(Box::new(generate()?)));
    }
    let vault = NewVault::ask(args.password_file.as_deref(), args.restore.as_deref())?;
    Ok(NewKey::Vault(Box::new(vault)))
}

/// Where the host's key is kept, and what to do about it.
fn key_note(done: &Initialized, words: Option<&str>) -> String {
    match (&done.key, words) {
        (NewKey::File(_), _) => format!(
            "Host key       {}, readable by its owner only; `vault create` seals it under a password\n",
            done.layout.host_key().display()
        ),
        (NewKey::Vault(_), None) => format!("Vault          {}\n", done.layout.seed_file().display()),
        (NewKey::Vault(_), Some(words)) => {
            format!("Vault          {}\n\n{}\n", done.layout.seed_file().display(), words_note(words))
        }
    }
}

/// The words of a new vault, six a line, and what to do with them.
pub(super) fn words_note(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let lines = words.chunks(6).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n  ");
    format!(
        "These words are the vault, without any password. They are shown only now: write them down on paper.\n\n  \
         {lines}"
    )
}

/// Sets up a project in a folder, which is made if it does not exist.
///
/// # Errors
/// What is in the way; nothing is left behind then.
pub(crate) fn init(dir: &Path, key: NewKey) -> CommandResult<Initialized> {
    let dir = std::path::absolute(dir).map_err(|error| cannot("find", dir, &error))?;
    let (config, layout) = (dir.join(FILE_NAME), Layout::new(dir.join(DATA_DIR)));
    refuse_existing(&[&config, layout.data_dir()])?;
    let mut made = Made::default();
    let operator = generate()?;
    made.folders(&dir)?;
    made.keep(layout.data_dir(), create_private_dir(layout.data_dir()))?;
    let host = made.host_key(&layout, &key)?;
    made.keep(&layout.operator_key(), create_key(&layout.operator_key(), &operator))?;
    for folder in [layout.audit_dir(), layout.cache_dir()] {
        made.keep(&folder, create_private_dir(&folder))?;
    }
    let ignore = layout.data_dir().join(".gitignore");
    made.keep(&ignore, create_private_file(&ignore, IGNORE_ALL.as_bytes()))?;
    let files = made.files(&dir)?;
    let operator = Fingerprint::from(&operator.public());
    // Last, because its presence is what makes the folder a project.
    let text = configuration(operator);
    made.keep(&config, create_private_file(&config, text.as_bytes()))?;
    Config::load(&config)
        .map_err(|error| CommandError::internal(format!("a generated file is not valid: {error}")))?;
    made.commit();
    Ok(Initialized { config, layout, files, host, operator, key })
}

fn configuration(operator: Fingerprint) -> String {
    let scopes = operator_scopes();
    let operator = PeerLine {
        id: "operator",
        fingerprint: operator,
        scopes: &scopes,
        display_name: "The operator of this host",
    };
    Template { data_dir: None, listen: None, root: FILES_DIR, peers: &[operator] }.render()
}

fn refuse_existing(paths: &[&Path]) -> CommandResult {
    // A dangling link is in the way too.
    let existing: Vec<String> = paths
        .iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if existing.is_empty() {
        return Ok(());
    }
    let (verb, them) = if existing.len() == 1 { ("exists", "it") } else { ("exist", "them") };
    Err(CommandError::configuration(format!(
        "{} {verb} already; nothing was changed",
        existing.join(" and ")
    ))
    .hint(format!("use {them} with `alknet-agent serve`, or set up another folder")))
}

fn generate() -> CommandResult<Ed25519SecretKey> {
    Ed25519SecretKey::generate()
        .map_err(|error| CommandError::internal(format!("cannot make a key: {error}")))
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::configuration(format!("cannot {verb} {}: {error}", path.display()))
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(_) => f.write_str("File([REDACTED])"),
            Self::Vault(_) => f.write_str("Vault([REDACTED])"),
        }
    }
}

fn serve_hint(dir: &Path) -> String {
    if dir == Path::new(".") {
        return "`alknet-agent serve`".to_owned();
    }
    format!("`cd '{}' && alknet-agent serve`", dir.display())
}

/// What was made so far, in order; removed again unless everything succeeds.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Notes what was made, or fails with what was in the way.
    fn keep(&mut self, path: &Path, made: io::Result<()>) -> CommandResult {
        made.map_err(|error| cannot("create", path, &error))?;
        self.0.push(path.to_owned());
        Ok(())
    }

    /// Makes a folder and those above it that are missing.
    fn folders(&mut self, dir: &Path) -> CommandResult {
        let missing: Vec<&Path> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            self.keep(folder, fs::create_dir(folder))?;
        }
        Ok(())
    }

    /// Stores the host's key.
    fn host_key(&mut self, layout: &Layout, key: &NewKey) -> CommandResult<Fingerprint> {
        match key {
            NewKey::File(key) => {
                self.keep(&layout.host_key(), create_key(&layout.host_key(), key))?;
                Ok(Fingerprint::from(&key.public()))
            }
            NewKey::Vault(vault) => {
                self.keep(&layout.seed_file(), vault.write_seed(layout))?;
                self.keep(&layout.public_keys_file(), vault.write_public(layout))?;
                Ok(Fingerprint::from(&vault.public().identity))
            }
        }
    }

    /// Makes the folder that agents see, unless there is one.
    fn files(&mut self, dir: &Path) -> CommandResult<PathBuf> {
        let files = dir.join(FILES_DIR);
        if files.is_dir() {
            return Ok(files);
        }
        self.keep(&files, fs::create_dir(&files))?;
        let readme = files.join("README.md");
        self.keep(&readme, fs::write(&readme, README))?;
        Ok(files)
    }

    fn commit(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // Only what was just made, and folders only when nobody put something into them meanwhile.
            let removed = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
            if let Err(error) = removed {
                tracing::warn!(path = %path.display(), %error, "cannot clean up");
            }
        }
    }
}

/// The folder that agents see.
const FILES_DIR: &str = "files";
/// Keys and logs do not belong into a repository.
const IGNORE_ALL: &str = "*\n";
const README: &str = "\
Agents that may use `fs/read`, `fs/list`, `fs/stat` and `fs/search` see this folder and nothing above it.
Another folder, or more of them, can be set as `[[fs.root]]` in `alknet-agent.toml`.
";

#[cfg(test)]
mod tests;
