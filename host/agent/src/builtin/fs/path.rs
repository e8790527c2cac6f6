//! Paths as callers write them: parsed once, so that nothing below sees `..`, a leading `/` or a NUL.

use super::{FsError, FsLimits};

/// A relative path without `.`, `..` and empty parts; empty for the directory it is relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelativePath(String);

impl RelativePath {
    pub(super) fn parse(text: &str, limits: &FsLimits) -> Result<Self, FsError> {
        if text.is_empty() {
            return Err(FsError::Invalid("a path is not empty; `.` is the top"));
        }
        if text.len() > limits.path_bytes_max || text.contains('\0') {
            return Err(FsError::Invalid("a path is too long or holds a NUL"));
        }
        if text.starts_with('/') || text.split('/').any(|part| part == "..") {
            return Err(FsError::Denied);
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.len() > limits.depth_max {
            return Err(FsError::Invalid("a path has too many parts"));
        }
        Ok(Self(parts.join("/")))
    }

    /// The path as text; `.` for the directory itself.
    pub(super) fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    pub(super) fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    /// The first part and what follows it; `None` for the directory itself.
    pub(super) fn split_first(&self) -> Option<(&str, Self)> {
        let (first, rest) = self.0.split_once('/').unwrap_or((&self.0, ""));
        (!first.is_empty()).then(|| (first, Self(rest.to_owned())))
    }

    /// The directory that holds the last part, and that part; `None` for the directory itself.
    pub(super) fn split_last(&self) -> Option<(Self, &str)> {
        let (parent, last) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        (!last.is_empty()).then(|| (Self(parent.to_owned()), last))
    }
}
