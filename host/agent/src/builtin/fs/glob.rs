//! Globs that choose among the files below a directory.

use globset::{GlobBuilder, GlobMatcher};

use super::{FsError, FsLimits};

/// Chooses by name if the glob has no `/`, by path below the directory otherwise; without a glob, everything.
#[derive(Debug)]
pub(super) enum Chooser {
    All,
    Name(GlobMatcher),
    Path(GlobMatcher),
}

impl Chooser {
    pub(super) fn new(glob: Option<&str>, limits: &FsLimits) -> Result<Self, FsError> {
        let Some(glob) = glob else { return Ok(Self::All) };
        if glob.len() > limits.pattern_bytes_max {
            return Err(FsError::Invalid("the glob is too long"));
        }
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        let matcher = built.map_err(|_| FsError::Invalid("the glob is malformed"))?.compile_matcher();
        Ok(if glob.contains('/') { Self::Path(matcher) } else { Self::Name(matcher) })
    }

    /// `below` is the path below the directory that is walked.
    pub(super) fn chooses(&self, name: &str, below: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(matcher) => matcher.is_match(name),
            Self::Path(matcher) => matcher.is_match(below),
        }
    }
}
