//! Text of others, escaped for where it stands in a declaration.

/// A string literal holding exactly `value`.
pub(super) fn string_literal(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            _ if is_hidden(character) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    literal.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// `name` as the name of a property or method.
pub(super) fn property(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { string_literal(name) }
}

/// `.name` or `["name"]`.
pub(super) fn access(name: &str) -> String {
    if is_plain(name) { format!(".{name}") } else { format!("[{}]", string_literal(name)) }
}

/// Whether `name` may stand as a member's name without quotes, and means nothing else there.
fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    let goes_on = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    starts && goes_on && !matches!(name, "__proto__" | "constructor" | "new")
}

/// A documentation comment of `paragraphs`, with its line end; nothing if they are blank.
pub(super) fn doc(paragraphs: &[String]) -> String {
    let lines: Vec<String> = paragraphs.iter().flat_map(|text| lines(text)).collect();
    match lines.as_slice() {
        [] => String::new(),
        [line] => format!("/** {line} */\n"),
        lines => {
            let mut comment = String::from("/**\n");
            for line in lines {
                comment.push_str(&format!(" * {line}\n"));
            }
            comment.push_str(" */\n");
            comment
        }
    }
}

/// The lines of `text` that say something, unable to end a comment.
fn lines(text: &str) -> Vec<String> {
    let shortened: String = text.chars().take(DOC_CHARS_MAX).collect();
    let more = if shortened.len() < text.len() { "…" } else { "" };
    let blank = |c: char| if is_hidden(c) { ' ' } else { c };
    format!("{shortened}{more}")
        .split(['\n', '\r', '\u{2028}', '\u{2029}'])
        .map(|line| line.chars().map(blank).collect::<String>().trim().replace("*/", "* /"))
        .filter(|line| !line.is_empty())
        .collect()
}

/// `text` with every line indented by one level.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Characters a reader does not see, or that reorder what it sees.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Most characters kept of one description.
const DOC_CHARS_MAX: usize = 1000;
