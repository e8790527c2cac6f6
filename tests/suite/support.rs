//! A host in a folder of its own, its commands, and its clients. Every wait has an end.

mod client;
mod frames;
mod process;
mod project;
mod serving;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

pub(crate) use client::Peer;
pub(crate) use frames::{Wire, requested};
pub(crate) use process::Process;
pub(crate) use project::{Project, Ran, secret_key};
pub(crate) use serving::Serving;

/// The longest any test waits for anything. Generous: it is met only by what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("did not happen in time: {what}"))
}

/// Waits for a state that can only be looked at.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The program under test. `cargo test --workspace` builds it; it lies beside the folder of this test.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("alknet-agent");
    assert!(
        program.is_file(),
        "{} is missing: run `cargo test --workspace`, which builds it",
        program.display()
    );
    program
}

/// The top of the repository. Tests run in the folder of their package; where that was when they were compiled may be
/// gone.
pub(crate) fn repository() -> &'static Path {
    static TOP: LazyLock<PathBuf> = LazyLock::new(|| Path::new("..").canonicalize().unwrap());
    &TOP
}

/// All regular files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

/// A script for `session/run` that says under the key `NAME` that it runs, and ends when there is a file of that
/// name below the host's file root. Every turn costs host calls: see [`Project::patient`].
pub(crate) fn waits_for(name: &str) -> String {
    format!(
        "export default async function (input, env) {{
           await env.kv.put({{ key: '{name}', value: true }});
           for (;;) {{
             try {{ await env.fs.stat({{ path: '{name}' }}); return 'waited'; }}
             catch (error) {{ if (error.code !== 'PATH_NOT_FOUND') throw error; }}
           }}
         }}"
    )
}
