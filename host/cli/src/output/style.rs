//! Colours, and what may reach a terminal.

use std::fmt::Write as _;

/// Marks up text with colours, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";

/// The only escape sequences that are ever printed.
const PALETTE: [&str; 5] = [RESET, BOLD, DIM, RED, GREEN];

impl Style {
    /// A style with or without colours.
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// Emphasis.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    /// Of lesser interest.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(DIM, text)
    }

    /// Bad news.
    pub(crate) fn red(self, text: &str) -> String {
        self.paint(RED, text)
    }

    /// Good news.
    pub(crate) fn green(self, text: &str) -> String {
        self.paint(GREEN, text)
    }

    /// The text without anything that could steer a terminal: names, messages and outputs of tools are written by
    /// strangers. Line ends and tabs pass, our own colours where there are colours; other control and direction
    /// characters are spelled out.
    pub(crate) fn printable(self, text: &str) -> String {
        let palette: &[&str] = if self.colour { &PALETTE } else { &[] };
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if let Some(colour) = palette.iter().find(|colour| rest.starts_with(**colour)) {
                shown.push_str(colour);
                rest = rest.get(colour.len()..).unwrap_or_default();
                continue;
            }
            if is_harmless(character) {
                shown.push(character);
            } else {
                // Writing to a string does not fail.
                write!(shown, "\\u{{{:x}}}", u32::from(character)).unwrap_or_default();
            }
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        shown
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

fn is_harmless(character: char) -> bool {
    let directional =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(character, '\n' | '\t') || !(character.is_control() || directional)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_steered_by_strangers() {
        let plain = |text: &str| Style::new(false).printable(text);
        assert_eq!(plain("a\tb\nü✓"), "a\tb\nü✓");
        assert_eq!(plain("\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(plain("\x1b[8mhidden"), "\\u{1b}[8mhidden");
        assert_eq!(plain("a\u{9b}2J\u{7f}\r"), "a\\u{9b}2J\\u{7f}\\u{d}");
        assert_eq!(plain("x\u{202e}y"), "x\\u{202e}y");
        let ours = Style::new(true).red("no");
        assert_eq!(Style::new(true).printable(&ours), ours);
        assert_eq!(plain(&ours), "\\u{1b}[31mno\\u{1b}[0m", "without colours, a stranger's are spelled out");
    }

    #[test]
    fn without_colours_nothing_is_added() {
        assert_eq!(Style::new(false).green("ok"), "ok");
        assert_eq!(Style::new(true).green("ok"), "\x1b[32mok\x1b[0m");
    }
}
