//! `demo`: the whole story on a directory.

use std::path::{Path, PathBuf};

use super::Context;
use crate::args::DemoArgs;
use crate::demo;
use crate::failure::{CommandError, CommandResult};

pub(super) async fn run(args: &DemoArgs, context: &Context) -> CommandResult {
    let dir = readable_dir(&args.path)?;
    Box::pin(demo::tell(&dir, context.output)).await
}

/// The directory as an absolute path; refused before anything is made.
fn readable_dir(path: &Path) -> CommandResult<PathBuf> {
    let refused = |reason: String| {
        CommandError::usage(format!("the demo reads a directory, and {} {reason}", path.display()))
            .hint("name another one with --path DIR")
    };
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => refused("does not exist".to_owned()),
        _ => refused(format!("cannot be used: {error}")),
    })?;
    if !metadata.is_dir() {
        return Err(refused("is not one".to_owned()));
    }
    std::fs::read_dir(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    path.canonicalize().map_err(|error| refused(format!("cannot be used: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_readable_directory_will_do() {
        let dir = tempfile::tempdir().unwrap();
        assert!(readable_dir(dir.path()).unwrap().is_absolute());
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (path, reason) in
            [(file.clone(), "is not one"), (dir.path().join("none"), "does not exist"), (file.join("x"), "")]
        {
            let error = readable_dir(&path).unwrap_err();
            assert_eq!(error.kind().code(), 2);
            assert!(error.to_text().contains(reason), "{error}");
        }
    }
}
