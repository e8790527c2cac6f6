//! The bounded log of one call.

use crate::{LogLevel, LogLine};

/// Lines kept so far; never more bytes than the limit.
#[derive(Debug)]
pub(crate) struct Logs {
    lines: Vec<LogLine>,
    room: usize,
    truncated: bool,
}

impl Logs {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { lines: Vec::new(), room: bytes_max, truncated: false }
    }

    /// Keeps as much of `text` as there is room for. A line costs its text and [`LINE_BYTES`].
    pub(crate) fn write(&mut self, level: LogLevel, text: &[u8]) {
        let Some(room) = self.room.checked_sub(LINE_BYTES) else {
            self.truncated = true;
            return;
        };
        let kept = text.get(..room).unwrap_or(text);
        let text_len = text.len();
        let text = if kept.len() < text_len {
            valid_prefix(kept)
        } else {
            String::from_utf8_lossy(kept).into_owned()
        };
        self.truncated |= kept.len() < text_len;
        self.room = room.saturating_sub(text.len());
        if kept.len() < text_len {
            self.room = 0;
        }
        self.lines.push(LogLine { level, text });
    }

    /// The lines, and whether any were dropped or cut.
    pub(crate) fn take(&mut self) -> (Vec<LogLine>, bool) {
        (std::mem::take(&mut self.lines), self.truncated)
    }
}

/// `bytes` without a character cut in two at the end.
fn valid_prefix(bytes: &[u8]) -> String {
    let whole = bytes.iter().rposition(|byte| byte & 0xC0 != 0x80).unwrap_or(0);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes.get(..whole).unwrap_or_default()).into_owned(),
    }
}

/// What keeping a line costs beside its text, so that empty lines are bounded too.
const LINE_BYTES: usize = 32;
