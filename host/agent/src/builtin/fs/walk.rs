//! Walks a directory, in order, within bounds, without following symlinks.

use std::rc::Rc;

use cap_std::fs::Dir;

use super::open::EntryKind;
use super::roots::{Place, Root};
use super::{FsError, Work};

/// Something a walk came by.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// The path as callers write it.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) bytes: u64,
    /// The directory that holds it; a root has none.
    pub(super) parent: Option<Rc<Dir>>,
}

/// A walk in progress: an iterator over entries, each directory's by name, a directory before what is in it.
pub(super) struct Walk<'a> {
    work: &'a Work<'a>,
    /// Characters of a path before the part below the directory that is walked.
    prefix: usize,
    recursive: bool,
    levels: Vec<std::vec::IntoIter<Found>>,
    looked_at: usize,
    /// Entries left out: their names are not UTF-8, or they cannot be looked at.
    pub(super) skipped: u64,
    /// Whether a bound ended the walk early somewhere.
    pub(super) truncated: bool,
}

impl<'a> Walk<'a> {
    /// Begins at a place; `shown` is its path as callers write it.
    pub(super) fn new(
        work: &'a Work<'a>,
        place: &Place<'_>,
        shown: &str,
        recursive: bool,
    ) -> Result<Self, FsError> {
        let base = if shown == "." { String::new() } else { format!("{shown}/") };
        let (levels, prefix) = (Vec::new(), base.len());
        let mut walk = Self { work, prefix, recursive, levels, looked_at: 0, skipped: 0, truncated: false };
        let first = match place {
            Place::Top => work.roots.all().iter().map(as_found).collect(),
            Place::In(root, path) => {
                if !root.dir.metadata(path.as_str())?.is_dir() {
                    return Err(FsError::NotADirectory);
                }
                walk.entries(root.dir.open_dir(path.as_str())?, &base)?
            }
        };
        walk.levels.push(first.into_iter());
        Ok(walk)
    }

    /// The path of a find below the directory that is walked.
    pub(super) fn below<'b>(&self, found: &'b Found) -> &'b str {
        found.path.get(self.prefix..).unwrap_or_default()
    }

    fn entries(&mut self, dir: Dir, base: &str) -> Result<Vec<Found>, FsError> {
        let dir = Rc::new(dir);
        let mut entries = Vec::new();
        for entry in dir.entries()? {
            self.work.check()?;
            if self.looked_at >= self.work.limits.walk_entries_max {
                self.truncated = true;
                break;
            }
            self.looked_at += 1;
            let entry = entry?;
            let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) else {
                self.skipped += 1;
                continue;
            };
            let kind = EntryKind::from(metadata.file_type());
            let bytes = if kind == EntryKind::File { metadata.len() } else { 0 };
            let path = format!("{base}{name}");
            entries.push(Found { name, path, kind, bytes, parent: Some(Rc::clone(&dir)) });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn enter(&mut self, found: &Found) -> Result<(), FsError> {
        if self.levels.len() >= self.work.limits.depth_max {
            self.truncated = true;
            return Ok(());
        }
        let dir = match &found.parent {
            Some(parent) => parent.open_dir(&found.name)?,
            None => {
                let root = self.work.roots.all().iter().find(|root| root.name == found.name);
                root.ok_or(FsError::NotFound)?.dir.try_clone()?
            }
        };
        let entries = self.entries(dir, &format!("{}/", found.path))?;
        self.levels.push(entries.into_iter());
        Ok(())
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Found, FsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(cancelled) = self.work.check() {
            return Some(Err(cancelled));
        }
        let found = loop {
            match self.levels.last_mut()?.next() {
                Some(found) => break found,
                None => drop(self.levels.pop()),
            }
        };
        if self.recursive && found.kind == EntryKind::Directory {
            match self.enter(&found) {
                Ok(()) => {}
                Err(FsError::Cancelled) => return Some(Err(FsError::Cancelled)),
                // It vanished, or may not be read: its own entry is still shown.
                Err(_) => self.skipped += 1,
            }
        }
        Some(Ok(found))
    }
}

fn as_found(root: &Root) -> Found {
    let (name, path) = (root.name.clone(), root.name.clone());
    Found { name, path, kind: EntryKind::Directory, bytes: 0, parent: None }
}
