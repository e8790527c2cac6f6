//! Lines and columns of a text, in the units its readers count.

/// A line and a column in characters, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Which characters end a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    /// Every ECMAScript line terminator: what an author sees, and what the code generator counts.
    Script,
    /// Those the engine counts in a module without comments: U+2028 and U+2029 are left out, because there they
    /// only occur inside templates.
    Engine,
}

/// Finds the line and column of an offset, and the offset of a line and column.
#[derive(Debug)]
pub(super) struct Index<'a> {
    text: &'a str,
    /// Offset of each line's first byte; never empty, strictly ascending.
    starts: Vec<u32>,
    /// Every character of more than one byte, ascending.
    wide: Vec<Wide>,
}

/// A character that takes more bytes than columns, and the columns (from 0) right after it.
#[derive(Debug, Clone, Copy)]
struct Wide {
    end: u32,
    line: u32,
    utf16: u32,
    scalars: u32,
}

impl<'a> Index<'a> {
    /// Indexes `text`, which must be shorter than 4 GiB.
    pub(super) fn new(text: &'a str) -> Self {
        let starts = line_starts(text, Breaks::Script);
        let mut wide = Vec::new();
        if !text.is_ascii() {
            let (mut line, mut utf16, mut scalars) = (0, 0, 0);
            for (at, character) in text.char_indices() {
                let at = offset(at);
                if starts.get(index(line + 1)).is_some_and(|&next| next <= at) {
                    (line, utf16, scalars) = (line + 1, 0, 0);
                }
                utf16 += offset(character.len_utf16());
                scalars += 1;
                let bytes = offset(character.len_utf8());
                if bytes > 1 {
                    wide.push(Wide { end: at + bytes, line, utf16, scalars });
                }
            }
        }
        Self { text, starts, wide }
    }

    /// Place of the byte at `at`; past the end, the end.
    pub(super) fn position(&self, at: u32) -> Place {
        let at = at.min(offset(self.text.len()));
        let line = line_of(&self.starts, at);
        let start = self.starts.get(index(line)).copied().unwrap_or(0);
        let column = match self.last_wide(|wide| wide.end <= at, line) {
            Some(wide) => wide.scalars + (at - wide.end),
            None => at - start,
        };
        Place { line: line + 1, column: column + 1 }
    }

    /// Offset of the UTF-16 unit `column` of `line`, both from 0.
    pub(super) fn offset_of_utf16(&self, line: u32, column: u32) -> u32 {
        let start = self.starts.get(index(line)).copied().unwrap_or(0);
        match self.last_wide(|wide| (wide.line, wide.utf16) <= (line, column), line) {
            Some(wide) => wide.end + (column - wide.utf16),
            None => start + column,
        }
    }

    /// Text of `line`, from 1, without its terminator.
    pub(super) fn line(&self, line: u32) -> &'a str {
        let Some(before) = line.checked_sub(1) else { return "" };
        let Some(&start) = self.starts.get(index(before)) else { return "" };
        let end = self.starts.get(index(line)).map_or(self.text.len(), |&next| index(next));
        let content = self.text.get(index(start)..end).unwrap_or("");
        content.trim_end_matches(['\n', '\r', '\u{2028}', '\u{2029}'])
    }

    /// Number of lines, at least one.
    pub(super) fn lines(&self) -> u32 {
        offset(self.starts.len())
    }

    /// Every multi-byte character: line from 0, then the byte column and the scalar column after it.
    pub(super) fn wide_columns(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.wide.iter().map(|wide| {
            let start = self.starts.get(index(wide.line)).copied().unwrap_or(0);
            (wide.line, wide.end - start, wide.scalars)
        })
    }

    fn last_wide(&self, before: impl Fn(&Wide) -> bool, line: u32) -> Option<Wide> {
        let found = self.wide.partition_point(before).checked_sub(1)?;
        self.wide.get(found).copied().filter(|wide| wide.line == line)
    }
}

/// Offset of each line's first byte.
pub(super) fn line_starts(text: &str, breaks: Breaks) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (at, &byte) in bytes.iter().enumerate() {
        let next = match byte {
            b'\n' => at + 1,
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => at + 1,
            0xE2 if breaks == Breaks::Script && is_wide_break(bytes, at) => at + 3,
            _ => continue,
        };
        starts.push(offset(next));
    }
    starts
}

/// Whether U+2028 or U+2029 is encoded at `at`.
pub(super) fn is_wide_break(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 3), Some([0xE2, 0x80, 0xA8 | 0xA9]))
}

/// Line (from 0) of the byte at `at`.
pub(super) fn line_of(starts: &[u32], at: u32) -> u32 {
    offset(starts.partition_point(|&start| start <= at).saturating_sub(1))
}

/// An offset as texts here store it: sources are bounded far below 4 GiB.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// An offset as slices take it.
pub(super) fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// White space beyond ASCII, as the compiler sees it.
pub(super) fn is_wide_blank(c: char) -> bool {
    matches!(
        c,
        '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200B}' | '\u{202F}' | '\u{205F}' | '\u{3000}' | '\u{FEFF}'
    )
}

/// Length of the `\u…` that `rest` starts with.
pub(super) fn escape_bytes(rest: &str) -> Option<usize> {
    let digits = rest.strip_prefix("\\u")?;
    match digits.strip_prefix('{') {
        Some(braced) => {
            let length = braced.find('}')?;
            let hex = braced.get(..length)?.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then_some("\\u{}".len() + length)
        }
        None => {
            let hex = digits.get(..4)?.bytes().all(|b| b.is_ascii_hexdigit());
            hex.then_some("\\u0000".len())
        }
    }
}
