//! The session opened last, kept beside the host's data so that later commands can leave it out.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::connect::RemoteHost;
use crate::failure::{CommandError, CommandResult};

/// What is kept. A session's id is worth nothing to another identity, but it is nobody else's business either.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The fingerprint of the host the session lives on.
    host: String,
    session: String,
}

const FILE_NAME: &str = "cli-session";

/// The session opened last on this host.
pub(in crate::commands) fn remembered(host: &RemoteHost) -> Option<String> {
    let kept = read(&file(host)?)?;
    (kept.host == host.name()).then_some(kept.session)
}

/// Keeps a session; whether there was a place to keep it.
pub(super) fn remember(host: &RemoteHost, session: &str) -> CommandResult<bool> {
    let Some(file) = file(host) else { return Ok(false) };
    let kept = Kept { host: host.name().to_owned(), session: session.to_owned() };
    let text = serde_json::to_string(&kept).unwrap_or_default();
    write_private(&file, &text)
        .map_err(|error| CommandError::configuration(format!("cannot write {}: {error}", file.display())))?;
    Ok(true)
}

/// Forgets a session, if it is the one that is kept.
pub(super) fn forget(host: &RemoteHost, session: &str) {
    let Some(file) = file(host) else { return };
    if read(&file).is_some_and(|kept| kept.session == session) {
        // What stays is refused by the host: the session is closed.
        fs::remove_file(&file).unwrap_or_default();
    }
}

fn file(host: &RemoteHost) -> Option<PathBuf> {
    host.data_dir().map(|dir| dir.join(FILE_NAME))
}

fn read(file: &Path) -> Option<Kept> {
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Replaces a file at once by one that only its owner can read.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    // Temporary files are readable by their owner only from the start.
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut fresh, text.as_bytes())?;
    fresh.persist(file).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_is_private_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        for session in ["aa", "bb"] {
            let kept = Kept { host: "ed25519:00".to_owned(), session: session.to_owned() };
            write_private(&file, &serde_json::to_string(&kept).unwrap()).unwrap();
            assert_eq!(read(&file), Some(kept));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(&file, "garbage").unwrap();
        assert_eq!(read(&file), None);
    }
}
