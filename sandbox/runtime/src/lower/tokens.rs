//! Splits a source into tokens, exactly where the compiler's own lexer would, without recursion.
//!
//! What is told apart is only what decides where a token ends (strings, templates, comments, regular expressions)
//! and what bounds nesting. The one question that needs the grammar is whether `/` divides or opens a regular
//! expression. It is answered from the tokens before it where they leave no doubt; where they do not, and both
//! readings exist, the author is asked to write it without doubt, so that no text can hide from one reader only.

use super::{
    finding::Finding,
    text::{escape_bytes, is_wide_blank, is_wide_break, offset},
    token::{After, Closed, Kind, Stop, Token, Word},
};

/// Reads tokens one by one.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    after: After,
    /// The token just read.
    previous: Option<Kind>,
    /// Class of the word just read.
    word: Option<Word>,
    /// Brackets open at the `case` or `default` whose `:` is to come.
    case: Option<usize>,
    /// The compiler may be inside a type, where keywords are names.
    doubtful: bool,
    new_line: bool,
    open: Vec<Opened>,
    /// First `<` that looks like an element, and whether one that closes it was seen.
    element: Option<usize>,
    element_closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// `(`, and what its `)` leaves behind.
    Round(After, Closed),
    Square,
    Braces,
    Template,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut tokens = Self {
            text,
            at: 0,
            after: After::Nothing,
            previous: None,
            word: None,
            case: None,
            doubtful: false,
            new_line: false,
            open: Vec::new(),
            element: None,
            element_closed: false,
        };
        if text.starts_with("#!") {
            tokens.skip_line();
        }
        tokens
    }

    /// Where an element (`<a>…</a>`) seems to start, if the source seems to hold one.
    pub(super) fn element(&self) -> Option<usize> {
        self.element.filter(|_| self.element_closed)
    }

    /// Takes no keyword for one until the next statement or block.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Stop> {
        self.new_line = self.at == 0;
        self.skip_blank()?;
        let (at, before, new_line) = (self.at, self.after, self.new_line);
        let Some(byte) = self.byte(0) else { return Ok(None) };
        let kind = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'#' | b'\\' | 0x80.. => self.word()?,
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_some_and(|next| next.is_ascii_digit()) => self.number(),
            b'"' | b'\'' => self.string(byte)?,
            b'`' => {
                self.at += 1;
                self.template()
            }
            b'(' | b'[' | b'{' => self.opening(byte),
            b')' | b']' | b'}' => self.closing(byte)?,
            b'/' => self.slash()?,
            // No comment in a module, but the compiler skips the line before it says so.
            b'<' if new_line && self.rest().starts_with("<!--") => return Err(Stop::Broken { end: at + 4 }),
            b'@' => return Err(Stop::Refused(Finding::new(offset(at), DECORATOR))),
            0x21..=0x7E => self.punctuation(byte),
            _ => return Err(Stop::Broken { end: at + 1 }),
        };
        if !matches!(kind, Kind::Word(_)) {
            self.word = None;
        }
        let kind = self.labelled(kind, at);
        self.previous = Some(kind);
        let braces = matches!(self.text.as_bytes().get(at), Some(b';' | b'{' | b'}'));
        self.doubtful &= !braces;
        Ok(Some(Token { at, end: self.at, kind, new_line, before }))
    }

    /// `kind`, unless the token at `at` is the `:` of a `case` or `default`.
    fn labelled(&mut self, kind: Kind, at: usize) -> Kind {
        let depth = self.open.len();
        match (kind, self.text.get(at..self.at)) {
            (Kind::Word(Word::Prefix), Some("case" | "default")) => self.case = Some(depth),
            (Kind::Colon, _) if self.case.take_if(|case| *case == depth).is_some() => return Kind::Label,
            (Kind::Right, _) => self.case = None,
            _ => {}
        }
        kind
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn is_at_break(&self) -> bool {
        matches!(self.byte(0), Some(b'\n' | b'\r')) || is_wide_break(self.text.as_bytes(), self.at)
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) -> Result<(), Stop> {
        while let Some(byte) = self.byte(0) {
            if self.is_at_break() {
                self.new_line = true;
                self.at += if byte == 0xE2 { 3 } else { 1 };
            } else if matches!(byte, b' ' | b'\t' | 0x0B | 0x0C) {
                self.at += 1;
            } else if self.rest().starts_with("//") {
                self.skip_line();
            } else if self.rest().starts_with("/*") {
                let Some(length) = self.rest().get(2..).and_then(|rest| rest.find("*/")) else {
                    return Err(Stop::Broken { end: self.text.len() });
                };
                let comment = self.rest().get(..length + 4).unwrap_or("");
                self.new_line |= comment.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
                self.at += comment.len();
            } else if let Some(blank) = self.rest().chars().next().filter(|&c| is_wide_blank(c)) {
                self.at += blank.len_utf8();
            } else {
                break;
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        let length = rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len());
        self.at += length;
    }

    fn word(&mut self) -> Result<Kind, Stop> {
        let start = self.at;
        if self.byte(0) == Some(b'#') {
            self.at += 1;
        }
        let mut escaped = false;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' => self.at += 1,
                b'\\' => {
                    escaped = true;
                    self.at += escape_bytes(self.rest()).ok_or(Stop::Broken { end: self.at + 1 })?;
                }
                0x80.. => {
                    let Some(character) = self.rest().chars().next() else { break };
                    if is_wide_blank(character) || matches!(character, '\u{2028}' | '\u{2029}') {
                        break;
                    }
                    self.at += character.len_utf8();
                }
                _ => break,
            }
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        let class = match text {
            _ if self.previous == Some(Kind::Dot) || text.starts_with('#') => Word::Name,
            _ if escaped => Word::Escaped,
            "await" if self.word == Some(Word::Head) => Word::Head,
            _ => Word::of(text),
        };
        self.word = Some(class);
        self.after = match class {
            Word::Name | Word::Modifier => After::Operand,
            Word::Prefix | Word::Nested if self.at_statement() => After::Nothing,
            Word::Prefix | Word::Nested => After::Unclear,
            Word::Head | Word::Cast | Word::Unclear | Word::Escaped => After::Unclear,
        };
        Ok(Kind::Word(class))
    }

    /// Whether the word just read may start a statement but not be a type, as keywords too may.
    fn at_statement(&self) -> bool {
        match self.previous {
            _ if self.doubtful => false,
            None | Some(Kind::Semicolon | Kind::Label | Kind::Word(Word::Nested)) => true,
            Some(Kind::Close(Closed::Head | Closed::Braces)) => true,
            Some(Kind::Open) => self.open.last() == Some(&Opened::Braces),
            Some(_) => self.new_line && self.after == After::Operand,
        }
    }

    fn number(&mut self) -> Kind {
        let radix = matches!(
            (self.byte(0), self.byte(1)),
            (Some(b'0'), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'))
        );
        if !radix {
            self.skip_digits();
            if self.byte(0) == Some(b'.') {
                self.at += 1;
                self.skip_digits();
            }
            if matches!((self.byte(0), self.byte(1)), (Some(b'e' | b'E'), Some(b'+' | b'-'))) {
                self.at += 2;
            }
        }
        while self.byte(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        self.after = After::Operand;
        Kind::Literal
    }

    fn skip_digits(&mut self) {
        while self.byte(0).is_some_and(|byte| byte.is_ascii_digit() || byte == b'_') {
            self.at += 1;
        }
    }

    fn string(&mut self, quote: u8) -> Result<Kind, Stop> {
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            match byte {
                b'\n' | b'\r' => break,
                b'\\' if self.byte(1) == Some(b'\r') && self.byte(2) == Some(b'\n') => self.at += 3,
                b'\\' => self.at += 2,
                _ if byte == quote => {
                    self.at += 1;
                    self.after = After::Operand;
                    return Ok(Kind::Literal);
                }
                _ => self.at += 1,
            }
        }
        // Text between elements holds apostrophes.
        self.element_closed |= self.text.get(..self.at).is_some_and(|read| read.contains("</"));
        Err(Stop::Broken { end: self.text.floor_char_boundary(self.at) })
    }

    /// Reads on in a template, behind its "`" or behind the `}` of a substitution.
    fn template(&mut self) -> Kind {
        loop {
            match self.byte(0) {
                Some(b'\\') => self.at += 2,
                Some(b'$') if self.byte(1) == Some(b'{') => {
                    self.at += 2;
                    self.open.push(Opened::Template);
                    self.after = After::Nothing;
                    return Kind::Open;
                }
                Some(b'`') => {
                    self.at += 1;
                    self.after = After::Operand;
                    return Kind::Literal;
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = self.text.len();
                    return Kind::Literal;
                }
            }
        }
    }

    fn opening(&mut self, byte: u8) -> Kind {
        self.open.push(match (byte, self.word) {
            (b'(', Some(Word::Head)) if self.doubtful => Opened::Round(After::Unclear, Closed::Head),
            (b'(', Some(Word::Head)) => Opened::Round(After::Nothing, Closed::Head),
            (b'(', Some(Word::Escaped)) => Opened::Round(After::Unclear, Closed::Head),
            (b'(', _) => Opened::Round(After::Operand, Closed::Plain),
            (b'[', _) => Opened::Square,
            _ => Opened::Braces,
        });
        self.at += 1;
        self.after = After::Nothing;
        Kind::Open
    }

    fn closing(&mut self, byte: u8) -> Result<Kind, Stop> {
        self.at += 1;
        let opened = self.open.pop();
        let (after, closed) = match (opened, byte) {
            (Some(Opened::Round(after, closed)), b')') => (after, closed),
            (Some(Opened::Square), b']') => (After::Operand, Closed::Plain),
            (Some(Opened::Braces), b'}') => (After::Braces, Closed::Braces),
            (Some(Opened::Template), b'}') => {
                // The template's text belongs to this token, up to its end or its next substitution.
                return Ok(match self.template() {
                    Kind::Open => Kind::Between,
                    _ => Kind::Close(Closed::Plain),
                });
            }
            _ => return Err(Stop::Broken { end: self.at }),
        };
        self.after = after;
        Ok(Kind::Close(closed))
    }

    fn slash(&mut self) -> Result<Kind, Stop> {
        let previous = self.at.checked_sub(1).and_then(|at| self.text.as_bytes().get(at));
        self.element_closed |=
            previous == Some(&b'<') || (self.after != After::Nothing && self.byte(1) == Some(b'>'));
        let regex = match self.after {
            After::Nothing => true,
            After::Operand if !self.new_line => false,
            // A second slash on the line, escaped or not, is the least a regular expression needs.
            After::Operand | After::Braces | After::Unclear => {
                let rest = self.rest();
                let end = rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len());
                let line = rest.get(1..end).unwrap_or("");
                if line.contains('/') {
                    return Err(Stop::Refused(Finding::new(offset(self.at), SLASH_UNCLEAR)));
                }
                false
            }
        };
        if regex {
            return self.regex();
        }
        self.at += if self.byte(1) == Some(b'=') { 2 } else { 1 };
        self.after = After::Nothing;
        Ok(Kind::Other)
    }

    fn regex(&mut self) -> Result<Kind, Stop> {
        let mut class = false;
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            if self.is_at_break() {
                break;
            }
            match byte {
                b'\\' => {
                    self.at += 1;
                    if self.is_at_break() {
                        break;
                    }
                }
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    self.at += 1;
                    while self.byte(0).is_some_and(|b| b.is_ascii_alphanumeric() || b"_$".contains(&b)) {
                        self.at += 1;
                    }
                    self.after = After::Operand;
                    return Ok(Kind::Literal);
                }
                _ => {}
            }
            self.at += 1;
        }
        Err(Stop::Broken { end: self.text.floor_char_boundary(self.at) })
    }

    fn punctuation(&mut self, byte: u8) -> Kind {
        let before = if self.new_line { After::Unclear } else { self.after };
        let doubled = self.byte(1) == Some(byte);
        let (length, kind, after) = match (byte, self.byte(1)) {
            (b',', _) => (1, Kind::Comma, After::Nothing),
            (b';', _) => (1, Kind::Semicolon, After::Nothing),
            (b':', _) => (1, Kind::Colon, After::Nothing),
            (b'=', Some(b'>')) => (2, Kind::Right, After::Nothing),
            (b'=', Some(b'=')) => (2, Kind::Other, After::Nothing),
            (b'?', Some(b'?')) if self.byte(2) != Some(b'=') => (2, Kind::Other, After::Nothing),
            (b'?', Some(b'.')) => (1, Kind::Other, After::Unclear),
            (b'=' | b'?', _) => (1, Kind::Right, After::Nothing),
            (b'<' | b'>', Some(b'=')) => (2, Kind::Other, After::Nothing),
            (b'<', _) => {
                self.note_element(before);
                (1, Kind::Less, After::Nothing)
            }
            (b'>', _) => (1, Kind::Greater, After::Unclear),
            (b'.', _) if self.rest().starts_with("...") => (3, Kind::Other, After::Nothing),
            (b'.', _) => (1, Kind::Dot, After::Unclear),
            (b'+' | b'-', _) if doubled => (2, Kind::Other, After::postfix(before, self.after)),
            (b'!', Some(b'=')) => (2, Kind::Other, After::Nothing),
            (b'!', _) => (1, Kind::Other, After::postfix(before, self.after)),
            _ => (1, Kind::Other, After::Nothing),
        };
        self.at += length;
        self.after = after;
        kind
    }

    fn note_element(&mut self, before: After) {
        let opens = self.byte(1).is_some_and(|next| next.is_ascii_alphabetic() || next == b'>');
        if self.element.is_none() && before != After::Operand && opens {
            self.element = Some(self.at);
        }
    }
}

const SLASH_UNCLEAR: &str = "this `/` could divide or open a regular expression. Put the regular expression in \
     parentheses, or the dividing `/` at the end of the previous line";

const DECORATOR: &str = "decorators are not supported. Call the function yourself";
