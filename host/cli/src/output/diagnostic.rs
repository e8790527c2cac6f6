//! Complaints about a source, shown at their place in it.

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Diagnostic {
    /// What is wrong.
    pub(crate) message: String,
    /// The file of the tool; there is none where the tool as a whole is meant.
    pub(crate) file: Option<String>,
    /// Line, from 1.
    pub(crate) line: Option<usize>,
    /// Column in characters, from 1.
    pub(crate) column: Option<usize>,
}

/// Longest part of a source line that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// The complaints as compilers print them: `file:line:col: message`, the line, and a caret below the column.
pub(crate) fn render_diagnostics(file: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let rendered: Vec<String> =
        diagnostics.iter().map(|diagnostic| render(file, &lines, diagnostic)).collect();
    rendered.join("\n")
}

fn render(file: &str, lines: &[&str], diagnostic: &Diagnostic) -> String {
    let Diagnostic { message, line, column, .. } = diagnostic;
    let (Some(line), Some(column)) = (line, column) else {
        return format!("{file}: error: {message}");
    };
    let headline = format!("{file}:{line}:{column}: error: {message}");
    let Some(text) = line.checked_sub(1).and_then(|index| lines.get(index)) else {
        return headline;
    };
    let (shown, caret) = window(text, column.saturating_sub(1));
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    // Tabs keep their width below the line they stand in.
    let padding: String = shown.chars().take(caret).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("{headline}\n {gutter} |\n {number} | {shown}\n {gutter} | {padding}^")
}

/// The part of a line around a column, and where the column is in it.
fn window(text: &str, column: usize) -> (String, usize) {
    let length = text.chars().count();
    let column = column.min(length);
    if length <= SHOWN_CHARS_MAX {
        return (text.to_owned(), column);
    }
    let start = column.saturating_sub(SHOWN_CHARS_MAX / 2);
    (text.chars().skip(start).take(SHOWN_CHARS_MAX).collect(), column - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> Diagnostic {
        Diagnostic { message: "expected `;`".to_owned(), file: None, line: Some(line), column: Some(column) }
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        let source = "let a = 1;\n\tlet b = ü 2;\n";
        let expected = "\
tool.ts:2:12: error: expected `;`
   |
 2 | \tlet b = ü 2;
   | \t          ^";
        assert_eq!(render_diagnostics("tool.ts", source, &[at(2, 12)]), expected);
    }

    #[test]
    fn a_place_outside_the_source_is_named_without_a_snippet() {
        assert_eq!(render_diagnostics("a.js", "x", &[at(9, 1)]), "a.js:9:1: error: expected `;`");
        assert_eq!(render_diagnostics("a.js", "x", &[at(0, 0)]), "a.js:0:0: error: expected `;`");
        let beyond = render_diagnostics("a.js", "x", &[at(1, 50)]);
        assert!(beyond.ends_with(" 1 | x\n   |  ^"), "{beyond}");
    }

    #[test]
    fn long_lines_are_cut_around_the_column() {
        let source = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let rendered = render_diagnostics("a.js", &source, &[at(1, 501)]);
        let mut lines = rendered.lines().skip(2);
        let shown = lines.next().unwrap();
        let caret = lines.next().unwrap();
        assert_eq!(shown.chars().position(|c| c == '!'), caret.chars().position(|c| c == '^'));
        assert!(shown.chars().count() < 200);
    }
}
