//! The directories a host shares, opened once at start.

use std::path::PathBuf;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::path::RelativePath;
use super::{FsError, FsLimits};

/// A directory to share, as the configuration has it.
#[derive(Debug, Clone)]
pub struct FsRoot {
    /// How callers name it: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    pub name: String,
    /// Where it is on the host; never shown to callers.
    pub path: PathBuf,
    /// Whether `fs/write` may change what is below it.
    pub writable: bool,
}

/// The shared directories, open. Cheap to clone.
///
/// Everything below is reached through these handles, so that a path can leave a root neither by `..` nor by
/// a symlink. With a single root, paths are relative to it; with several, they begin with a root's name.
#[derive(Debug, Clone)]
pub struct FsRoots(Arc<[Root]>);

/// Why roots are refused.
#[derive(Debug, thiserror::Error)]
pub enum FsRootError {
    /// There is nothing to share.
    #[error("no root is configured")]
    None,
    /// A name breaks the grammar.
    #[error(
        "the root name `{0}` is not 1 to 64 characters of A-Z a-z 0-9 . _ - that do not start with a dot"
    )]
    Name(String),
    /// Two roots share a name.
    #[error("the root name `{0}` is used twice")]
    Duplicate(String),
    /// The directory cannot be opened.
    #[error("root `{name}`: {} cannot be opened: {cause}", path.display())]
    Unreadable {
        /// The root's name.
        name: String,
        /// Where it should be.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        cause: std::io::Error,
    },
}

#[derive(Debug)]
pub(super) struct Root {
    pub(super) name: String,
    pub(super) dir: Dir,
    pub(super) writable: bool,
}

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// The list of the roots, where there are several.
    Top,
    /// Something below a root.
    In(&'a Root, RelativePath),
}

const NAME_BYTES_MAX: usize = 64;

impl FsRoots {
    /// Opens the directories.
    ///
    /// # Errors
    /// [`FsRootError`] when there is none, a name is malformed or used twice, or a directory cannot be opened.
    pub fn new(roots: Vec<FsRoot>) -> Result<Self, FsRootError> {
        if roots.is_empty() {
            return Err(FsRootError::None);
        }
        let mut open: Vec<Root> = Vec::with_capacity(roots.len());
        for FsRoot { name, path, writable } in roots {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let sized = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
            if !sized || name.starts_with('.') || !name.bytes().all(allowed) {
                return Err(FsRootError::Name(name));
            }
            if open.iter().any(|root| root.name == name) {
                return Err(FsRootError::Duplicate(name));
            }
            match Dir::open_ambient_dir(&path, ambient_authority()) {
                Ok(dir) => open.push(Root { name, dir, writable }),
                Err(cause) => return Err(FsRootError::Unreadable { name, path, cause }),
            }
        }
        Ok(Self(open.into()))
    }

    pub(super) fn all(&self) -> &[Root] {
        &self.0
    }

    /// What a caller's path leads to, and the path in its plain form.
    pub(super) fn locate(&self, path: &str, limits: &FsLimits) -> Result<(Place<'_>, String), FsError> {
        let path = RelativePath::parse(path, limits)?;
        let shown = path.as_str().to_owned();
        if let [only] = &*self.0 {
            return Ok((Place::In(only, path), shown));
        }
        let Some((first, rest)) = path.split_first() else {
            return Ok((Place::Top, shown));
        };
        let root = self.0.iter().find(|root| root.name == first).ok_or(FsError::NotFound)?;
        Ok((Place::In(root, rest), shown))
    }
}
