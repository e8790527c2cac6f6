//! From a frame of the engine to the file, line and column its author knows.

use std::sync::Arc;

use super::{
    PositionMap,
    finding::snippet,
    text::{Breaks, index, line_starts},
};
use crate::Position;

/// The files of a tool as their author wrote them, and the way back to them.
#[derive(Debug)]
pub(crate) struct SourceMap {
    files: Box<[MappedFile]>,
}

/// One file.
#[derive(Debug)]
pub(super) struct MappedFile {
    pub(super) path: Arc<str>,
    pub(super) text: Box<str>,
    pub(super) map: PositionMap,
}

impl SourceMap {
    pub(super) fn new(files: Vec<MappedFile>) -> Self {
        Self { files: files.into() }
    }

    /// Path of the entry.
    pub(crate) fn entry(&self) -> &str {
        self.files.first().map_or("", |file| &*file.path)
    }

    /// The author's place for a place in the module of `file`; `None` if that is no file of the tool.
    pub(crate) fn original(&self, file: &str, line: u32, column: u32) -> Option<Position> {
        let file = self.file(file)?;
        let place = file.map.original(line, column)?;
        Some(Position { file: Arc::clone(&file.path), line: place.line, column: place.column })
    }

    /// The line `position` is on, cut to a readable length.
    pub(crate) fn snippet(&self, position: &Position) -> Option<String> {
        let text = &self.file(&position.file)?.text;
        let before = usize::try_from(position.line).ok()?.checked_sub(1)?;
        let starts = line_starts(text, Breaks::Script);
        let start = index(*starts.get(before)?);
        let end = starts.get(before + 1).map_or(text.len(), |&next| index(next));
        snippet(text.get(start..end)?.trim_end_matches(['\n', '\r', '\u{2028}', '\u{2029}']))
    }

    /// Memory the texts take, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.files.iter().map(|file| file.text.len() + file.path.len()).sum()
    }

    fn file(&self, path: &str) -> Option<&MappedFile> {
        self.files.iter().find(|file| *file.path == *path)
    }
}
