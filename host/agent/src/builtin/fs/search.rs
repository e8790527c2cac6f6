//! `fs/search`: lines of files that match a pattern.

use std::io::Read as _;

use alknet_call::{CallScope, OperationSpec, Registration, SpecError, typed_handler};
use cap_std::fs::{File, Metadata};
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Chooser;
use super::open::EntryKind;
use super::roots::Place;
use super::walk::{Found, Walk};
use super::{Fs, FsError, FsLimits, READ, Work, error, open};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The directory to search, with everything below it, or a single file; `.` is the top. Relative; no `..`.
    #[serde(default = "super::list::top")]
    #[schemars(length(min = 1, max = 4096))]
    path: String,
    /// What to find in a line: a text, or with `regex` a regular expression (without look-around and
    /// back-references).
    #[schemars(length(min = 1, max = 512))]
    pattern: String,
    /// Whether the pattern is a regular expression.
    #[serde(default)]
    regex: bool,
    /// Whether `a` also finds `A`.
    #[serde(default)]
    ignore_case: bool,
    /// Searches only files that match. Without a `/`, it is matched with names (`*.rs`); with one, with paths
    /// below the directory (`src/**/*.rs`).
    #[schemars(length(min = 1, max = 512))]
    glob: Option<String>,
    /// The most matches to answer; the host has a limit of its own (1,000).
    #[schemars(range(min = 1))]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Output {
    /// The matches, by path and line; one per line.
    matches: Vec<Match>,
    /// How many files were searched to their end.
    files_searched: u64,
    /// How many were left out: binary, too large, or not readable.
    files_skipped: u64,
    /// Whether a limit ended the search early, so that there may be more.
    truncated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Match {
    /// The path to use with `fs/read`.
    path: String,
    /// The line, from 1.
    line: u64,
    /// The first character of the match in its line, from 1.
    column: u64,
    /// The line; of a very long line, the part that begins at the match.
    text: String,
}

/// Files with a NUL this close to their beginning are taken for binary.
const BINARY_PROBE_BYTES: usize = 8192;

pub(crate) fn registration(fs: &Fs) -> Result<Registration, SpecError> {
    let spec = OperationSpec::query::<Input, Output>("fs/search")?
        .describe(
            "Finds the lines of files that hold a text or match a regular expression, with their places.",
        )
        .requires(crate::builtin::scope(READ));
    let spec = error::declare(spec, &[error::NOT_A_FILE])?;
    let fs = fs.clone();
    let handler = typed_handler(move |input: Input, _: CallScope| {
        let fs = fs.clone();
        async move { fs.run(move |work| search(work, &input)).await }
    });
    Ok(Registration::local(spec, handler))
}

fn search(work: &Work<'_>, input: &Input) -> Result<Output, FsError> {
    let regex = compile(input, work.limits)?;
    let chooser = Chooser::new(input.glob.as_deref(), work.limits)?;
    let matches_max = input.limit.unwrap_or(usize::MAX).min(work.limits.matches_max);
    let mut search = Search {
        work,
        regex,
        matches_max,
        files_left: work.limits.search_files_max,
        bytes_left: work.limits.search_bytes_max,
        output: Output { matches: Vec::new(), files_searched: 0, files_skipped: 0, truncated: false },
    };
    let (place, shown) = work.roots.locate(&input.path, work.limits)?;
    if let Place::In(root, path) = &place
        && !root.dir.metadata(path.as_str())?.is_dir()
    {
        let opened = open::for_reading(&root.dir, path.as_str())?;
        search.file(&shown, opened)?;
        return Ok(search.output);
    }
    let mut walk = Walk::new(work, &place, &shown, true)?;
    while !search.output.truncated
        && let Some(found) = walk.next()
    {
        let found = found?;
        if found.kind == EntryKind::File && chooser.chooses(&found.name, walk.below(&found)) {
            search.found(&found)?;
        }
    }
    search.output.truncated |= walk.truncated;
    search.output.files_skipped += walk.skipped;
    Ok(search.output)
}

fn compile(input: &Input, limits: &FsLimits) -> Result<Regex, FsError> {
    if input.pattern.len() > limits.pattern_bytes_max {
        return Err(FsError::Invalid("the pattern is too long"));
    }
    let literal = || regex::escape(&input.pattern);
    let pattern = if input.regex { input.pattern.clone() } else { literal() };
    RegexBuilder::new(&pattern)
        .case_insensitive(input.ignore_case)
        .size_limit(limits.pattern_memory_bytes_max)
        .dfa_size_limit(limits.pattern_memory_bytes_max)
        .build()
        .map_err(|_| FsError::Invalid("the pattern is no valid regular expression, or too large a one"))
}

struct Search<'a> {
    work: &'a Work<'a>,
    regex: Regex,
    matches_max: usize,
    files_left: usize,
    bytes_left: u64,
    output: Output,
}

impl Search<'_> {
    fn found(&mut self, found: &Found) -> Result<(), FsError> {
        let opened = found.parent.as_ref().map(|parent| open::entry_for_reading(parent, &found.name));
        match opened {
            Some(Ok(opened)) => self.file(&found.path, opened),
            Some(Err(_)) | None => {
                self.output.files_skipped += 1;
                Ok(())
            }
        }
    }

    fn file(&mut self, path: &str, (file, metadata): (File, Metadata)) -> Result<(), FsError> {
        let bytes_max = self.work.limits.search_file_bytes_max;
        if metadata.len() > bytes_max {
            self.output.files_skipped += 1;
            return Ok(());
        }
        if self.files_left == 0 || metadata.len() > self.bytes_left {
            self.output.truncated = true;
            return Ok(());
        }
        let mut content = Vec::new();
        let read = file.take(bytes_max.min(self.bytes_left)).read_to_end(&mut content);
        self.files_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(u64::try_from(content.len()).unwrap_or(u64::MAX));
        let head = content.get(..BINARY_PROBE_BYTES.min(content.len())).unwrap_or_default();
        if read.is_err() || head.contains(&0) {
            self.output.files_skipped += 1;
            return Ok(());
        }
        self.lines(path, &content)
    }

    fn lines(&mut self, path: &str, content: &[u8]) -> Result<(), FsError> {
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            self.work.check()?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let scanned = line.get(..self.work.limits.search_line_bytes_max).unwrap_or(line);
            let Some(hit) = self.regex.find(scanned) else {
                continue;
            };
            if self.output.matches.len() >= self.matches_max {
                self.output.truncated = true;
                return Ok(());
            }
            let before = scanned.get(..hit.start()).unwrap_or_default();
            let column = u64::try_from(String::from_utf8_lossy(before).chars().count()).unwrap_or(u64::MAX);
            let text = excerpt(line, hit.start(), hit.end(), self.work.limits.match_text_bytes_max);
            self.output.matches.push(Match { path: path.to_owned(), line: number, column: column + 1, text });
        }
        self.output.files_searched += 1;
        Ok(())
    }
}

/// The beginning of a line if the match fits into it, else the part that begins at the match.
fn excerpt(line: &[u8], start: usize, end: usize, bytes_max: usize) -> String {
    let from = if line.len() <= bytes_max || end <= bytes_max { 0 } else { start };
    let part = line.get(from..).unwrap_or_default();
    let text = String::from_utf8_lossy(part.get(..bytes_max).unwrap_or(part));
    // A character that the cut went through shows as one replacement character.
    text.into_owned()
}
