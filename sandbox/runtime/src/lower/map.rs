//! From a place in the lowered module, as the engine reports it, to the author's source.

use super::text::{Breaks, Index, Place, index, is_wide_break, line_of, line_starts, offset};

/// Leads from the engine's stack frames to the author's lines.
///
/// The engine counts lines from 1 and columns in bytes from 1, but on the first line it counts some tokens (those that
/// start with a keyword) from 0. Positions given back count characters (Unicode scalar values) from 1.
#[derive(Debug)]
pub(crate) struct PositionMap {
    /// Ascending by place in the module.
    points: Box<[Point]>,
    /// Lines of the module.
    lines: u32,
    between: Between,
}

/// What a place between two points means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// The module is the source: as far behind the source's point as behind the module's.
    Exact,
    /// The module was printed anew: the token before it.
    Nearest,
}

/// A place in the module (both from 0, columns in bytes) and the source's place it came from (both from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    line: u32,
    column: u32,
    from: Place,
}

impl PositionMap {
    /// Map of a module that is its own source; `None` where the engine would count its lines differently.
    pub(super) fn verbatim(source: &Index<'_>, text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let counted_alike = (0..bytes.len()).all(|at| match bytes.get(at) {
            Some(b'\r') => bytes.get(at + 1) == Some(&b'\n'),
            Some(0xE2) => !is_wide_break(bytes, at),
            _ => true,
        });
        if !counted_alike {
            return None;
        }
        let starts = (0..source.lines()).map(|line| (line, 0, 0));
        let mut points: Vec<_> = starts
            .chain(source.wide_columns())
            .map(|(line, bytes, scalars)| {
                let from = Place { line: line + 1, column: scalars + 1 };
                Point { line, column: bytes, from }
            })
            .collect();
        points.sort_unstable();
        Some(Self { points: points.into(), lines: source.lines(), between: Between::Exact })
    }

    /// Map of a printed module, from the generator's tokens: place in the module, then in the source, as lines and
    /// UTF-16 columns from 0.
    pub(super) fn printed(
        source: &Index<'_>,
        js: &str,
        tokens: impl Iterator<Item = ((u32, u32), (u32, u32))>,
    ) -> Self {
        let printed = Index::new(js);
        let starts = line_starts(js, Breaks::Engine);
        let mut points: Vec<_> = tokens
            .map(|((line, column), (from_line, from_column))| {
                let at = printed.offset_of_utf16(line, column);
                let line = line_of(&starts, at);
                let column = at - starts.get(index(line)).copied().unwrap_or(0);
                let from = source.position(source.offset_of_utf16(from_line, from_column));
                Point { line, column, from }
            })
            .collect();
        points.sort_by_key(|point| (point.line, point.column));
        Self { points: points.into(), lines: offset(starts.len()), between: Between::Nearest }
    }

    /// The author's place for `line` and `column` of a stack frame; `None` if the module has no such line.
    pub(crate) fn original(&self, line: u32, column: u32) -> Option<Place> {
        let line = line.checked_sub(1).filter(|&line| line < self.lines)?;
        let starts =
            |column| self.points.binary_search_by_key(&(line, column), |point| (point.line, point.column));
        let counted = column.saturating_sub(1);
        let from_zero = line == 0
            && self.between == Between::Nearest
            && starts(counted).is_err()
            && starts(column).is_ok();
        let column = if from_zero { column } else { counted };
        let after = self.points.partition_point(|point| (point.line, point.column) <= (line, column));
        let before = after.checked_sub(1).and_then(|at| self.points.get(at));
        match self.between {
            Between::Exact => before.map(|point| Place {
                line: point.from.line,
                column: point.from.column.saturating_add(column - point.column),
            }),
            // Text the generator added has no token of its own before it on the line: the one behind it is nearer
            // than one of another line.
            Between::Nearest => {
                let behind = self.points.get(after).filter(|point| point.line == line);
                before.filter(|point| point.line == line).or(behind).or(before).map(|point| point.from)
            }
        }
    }
}
