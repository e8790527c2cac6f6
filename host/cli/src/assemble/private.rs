//! What no file root may show: keys, credentials and the log; and what none may change: the configuration.
//!
//! An agent that reads the host's key is the host; one that writes the configuration is whoever it likes.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, HttpTarget, Step};

/// Refuses roots that contain something private, or lie in the data folder.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let settings = &config.settings;
    let credentials = settings.http_targets.iter().filter_map(HttpTarget::credential_file);
    let tokens = settings.remotes.iter().filter_map(|remote| remote.token_file.as_deref());
    let own = [&*settings.data_dir, &settings.kv_path].into_iter();
    let private: Vec<PathBuf> = own.chain(credentials).chain(tokens).map(resolved).collect();
    let (data_dir, file) = (resolved(&settings.data_dir), resolved(config.file()));
    for (index, root) in settings.fs_roots.iter().enumerate() {
        let path = resolved(&root.path);
        let shows = private.iter().any(|secret| secret.starts_with(&path)) || path.starts_with(&data_dir);
        let message = match (shows, root.writable && file.starts_with(&path)) {
            (true, _) => {
                "this folder would show the host's keys, credentials or log to agents; choose another one"
            }
            (false, true) => {
                "agents could write this configuration there; choose another folder, or drop `writable`"
            }
            (false, false) => continue,
        };
        let place = [Step::Key("fs"), Step::Key("root"), Step::Index(index), Step::Key("path")];
        return Err(config.error_at(&place, message));
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolve = |existing: &Path| {
        let real = existing.canonicalize().ok()?;
        let rest = absolute.strip_prefix(existing).ok()?;
        Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    };
    absolute.ancestors().find_map(resolve).unwrap_or_else(|| absolute.clone())
}
