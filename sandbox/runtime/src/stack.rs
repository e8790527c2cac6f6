//! From the engine's stack text to positions in the author's source.

use crate::Frame;
use crate::lower::SourceMap;

/// Frames of the tool's own code in `text`, innermost first. Those of the engine and of the library are left out.
pub(crate) fn frames(text: &str, map: &SourceMap) -> Vec<Frame> {
    text.lines().take(FRAMES_MAX).filter_map(|line| frame(line, map)).collect()
}

/// A line is `    at name (lib/a.ts:3:5)` or, for syntax errors, `    at lib/a.ts:3:5`.
fn frame(line: &str, map: &SourceMap) -> Option<Frame> {
    let line = line.trim_start().strip_prefix("at ")?;
    let (name, place) = match line.strip_suffix(')').and_then(|line| line.rsplit_once(" (")) {
        Some((name, place)) => (name, place),
        None => ("", line),
    };
    let (place, column) = place.rsplit_once(':')?;
    let (file, line) = place.rsplit_once(':')?;
    let position = map.original(file, line.parse().ok()?, column.parse().ok()?)?;
    let function = (!name.is_empty() && name != "<anonymous>").then(|| name.to_owned());
    Some(Frame { function, position })
}

/// `text` with every line of a stack in it leading into the author's source; `None` if there is none.
pub(crate) fn readable(text: &str, map: &SourceMap) -> Option<String> {
    if !text.contains(FRAME) {
        return None;
    }
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let Some(frame_text) = line.strip_prefix(INDENT).filter(|rest| rest.starts_with("at ")) else {
            lines.push(line.to_owned());
            continue;
        };
        // Those of the engine and the library say nothing to an author.
        if let Some(frame) = frame(frame_text, map) {
            lines.push(format!("{INDENT}{frame}"));
        }
    }
    Some(lines.join("\n"))
}

const INDENT: &str = "    ";
const FRAME: &str = "\n    at ";
const FRAMES_MAX: usize = 64;
