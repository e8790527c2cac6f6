//! From the engine's stack text to positions in the author's source.

use crate::Frame;
use crate::lower::PositionMap;

/// Frames of the tool's own code in `text`, innermost first. Engine functions are left out.
pub(crate) fn frames(text: &str, map: &PositionMap) -> Vec<Frame> {
    text.lines().take(FRAMES_MAX).filter_map(|line| frame(line, map)).collect()
}

/// A line is `    at name (tool:3:5)` or, for syntax errors, `    at tool:3:5`.
fn frame(line: &str, map: &PositionMap) -> Option<Frame> {
    let line = line.trim_start().strip_prefix("at ")?;
    let (name, place) = match line.strip_suffix(')').and_then(|line| line.rsplit_once(" (")) {
        Some((name, place)) => (name, place),
        None => ("", line),
    };
    let (line, column) = place.strip_prefix("tool:")?.split_once(':')?;
    let position = map.original(line.parse().ok()?, column.parse().ok()?)?;
    let function = (!name.is_empty() && name != "<anonymous>").then(|| name.to_owned());
    Some(Frame { function, position })
}

const FRAMES_MAX: usize = 64;
