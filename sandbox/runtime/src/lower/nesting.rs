//! Bounds how deeply a source can nest, before anything recursive reads it.
//!
//! Every level of the compiler's recursion, in parsing as in walking the tree, stems from at least one token that is
//! still *pending*: a bracket not yet closed, or a token of the statement or element under way. This counts the
//! pending tokens, so the count bounds the recursion whatever the grammar makes of them. Tokens stop pending where a
//! bracket closes, at `;` and `,`, and where a line break or a block certainly ends the statement; in doubt they stay.

use super::{
    finding::Finding,
    text::{index, offset},
    token::{After, Closed, Kind, Stop, Token, Word},
    tokens::Tokens,
};

/// What is left to do with a source whose nesting is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounded {
    /// Read only this much: a certain syntax error ends here if it is less than all.
    pub(super) end: usize,
    /// Where an element (`<a>…</a>`) seems to start, if any.
    pub(super) element: Option<u32>,
}

/// Bounds the nesting of `text`, or refuses it at the token that exceeds the bound.
pub(super) fn bound(text: &str) -> Result<Bounded, Finding> {
    let mut tokens = Tokens::new(text);
    let mut pending = Pending::default();
    loop {
        let end = match tokens.next() {
            Ok(Some(token)) => {
                pending.take(text, token);
                if pending.exceeds() {
                    return Err(Finding::new(offset(token.at), TOO_DEEP));
                }
                continue;
            }
            Ok(None) => text.len(),
            Err(Stop::Broken { end }) => end,
            // The end of an element is no division: what precedes it tells that better.
            Err(Stop::Refused(finding)) if tokens.element().is_some() => index(finding.at),
            Err(Stop::Refused(finding)) => return Err(finding),
        };
        return Ok(Bounded { end, element: tokens.element().map(offset) });
    }
}

/// Most tokens pending anywhere in `text`, however many that is; `None` if it is not read to its end.
#[cfg(test)]
pub(super) fn most_pending(text: &str) -> Option<u32> {
    let mut tokens = Tokens::new(text);
    let mut pending = Pending::default();
    let mut most = 0;
    while let Some(token) = tokens.next().ok()? {
        pending.take(text, token);
        most = most.max(pending.below + pending.level.chain);
    }
    Some(most)
}

/// Tokens read that something behind them may still nest in.
#[derive(Debug, Default)]
struct Pending {
    outer: Vec<Level>,
    /// Pending tokens of `outer`, all together.
    below: u32,
    /// [`Level::speculative`] of `outer`, all together.
    speculative_below: usize,
    /// How many of `outer` have an open angle.
    angled_below: usize,
    level: Level,
    previous: Option<Kind>,
}

/// Inside one pair of brackets, or outside all.
#[derive(Debug, Default)]
struct Level {
    /// Inside anything but braces: no statement ends here.
    closed_to_statements: bool,
    /// Pending tokens.
    chain: u32,
    /// Those of them that `,` leaves pending: heads of statements whose body is under way.
    pinned: u32,
    /// A `,` was read since the statement began, so what follows `:` is no statement.
    listed: bool,
    /// Opening `<` of possible type arguments.
    angles: Vec<Angle>,
    /// Tokens since the element began that nest to the right, and casts.
    rights: usize,
}

#[derive(Debug, Clone, Copy)]
struct Angle {
    /// Pending tokens up to and with the `<`.
    chain: u32,
    /// Something that nests to the right was read since.
    right: bool,
}

/// How much of what is pending ended before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Nothing,
    /// One part of a statement that the token continues, as `else` does.
    Part,
    Statement,
}

impl Pending {
    fn take(&mut self, text: &str, token: Token) {
        match self.ended(text, token) {
            Ended::Statement => self.level.restart(),
            Ended::Part => {
                self.level.listed = false;
                self.level.rights = 0;
            }
            Ended::Nothing => {}
        }
        self.previous = Some(token.kind);
        self.level.chain += 1;
        match token.kind {
            Kind::Open => self.open(text.as_bytes().get(token.at) != Some(&b'{')),
            Kind::Between => {
                self.close();
                self.level.chain += 1;
                self.open(true);
            }
            Kind::Close(closed) => {
                self.close();
                if closed == Closed::Head {
                    self.level.pin();
                }
            }
            Kind::Word(Word::Nested) => self.level.pin(),
            Kind::Word(Word::Cast) => self.level.rights += 1,
            Kind::Colon if !self.level.listed => self.level.pin(),
            Kind::Comma => self.level.next_element(),
            Kind::Less => self.level.open_angle(),
            Kind::Greater => self.level.close_angle(),
            Kind::Right => self.level.nest_right(),
            Kind::Word(_) | Kind::Literal | Kind::Semicolon | Kind::Colon | Kind::Other => {}
        }
    }

    fn exceeds(&self) -> bool {
        let depth = self.outer.len() + self.speculative_below + self.level.speculative();
        self.below + self.level.chain > PENDING_TOKENS_MAX
            || depth > DEPTH_MAX
            || self.angled_below > ANGLED_MAX
    }

    fn ended(&self, text: &str, token: Token) -> Ended {
        let word = matches!(token.kind, Kind::Word(_));
        // A template on the next line still belongs to the operand before it.
        let template = text.as_bytes().get(token.at) == Some(&b'`');
        let starts = word || (token.kind == Kind::Literal && !template);
        let by_line = match (token.before, self.previous) {
            (After::Operand, Some(Kind::Word(Word::Name) | Kind::Literal | Kind::Close(_))) => token.new_line,
            (After::Braces, _) => word || token.new_line,
            _ => false,
        };
        let ended =
            self.previous == Some(Kind::Semicolon) || (starts && by_line && !self.level.closed_to_statements);
        match text.get(token.at..token.end) {
            _ if !ended => Ended::Nothing,
            Some(
                "else" | "while" | "catch" | "finally" | "from" | "of" | "in" | "instanceof" | "as"
                | "satisfies" | "is" | "extends" | "implements",
            ) => Ended::Part,
            _ => Ended::Statement,
        }
    }

    fn open(&mut self, closed_to_statements: bool) {
        let inner = Level { closed_to_statements, ..Level::default() };
        let outer = std::mem::replace(&mut self.level, inner);
        self.below += outer.chain;
        self.speculative_below += outer.speculative();
        self.angled_below += usize::from(!outer.angles.is_empty());
        self.outer.push(outer);
    }

    fn close(&mut self) {
        self.level = self.outer.pop().unwrap_or_default();
        self.below -= self.level.chain;
        self.speculative_below -= self.level.speculative();
        self.angled_below -= usize::from(!self.level.angles.is_empty());
    }
}

impl Level {
    fn restart(&mut self) {
        self.chain = 0;
        self.pinned = 0;
        self.listed = false;
        self.angles.clear();
        self.rights = 0;
    }

    /// Nesting without brackets of its own for which the parser tries more than one reading.
    fn speculative(&self) -> usize {
        self.angles.len() + self.rights
    }

    fn pin(&mut self) {
        self.pinned = self.chain;
    }

    fn next_element(&mut self) {
        self.chain = self.angles.last().map_or(0, |angle| angle.chain).max(self.pinned);
        self.listed = true;
        self.rights = 0;
    }

    fn open_angle(&mut self) {
        self.angles.push(Angle { chain: self.chain, right: false });
    }

    /// Ends type arguments, or compares: either way what stood between is complete, unless it nests to the right.
    fn close_angle(&mut self) {
        match self.angles.pop() {
            Some(angle) if angle.right => self.mark_right(),
            Some(angle) => self.chain = (angle.chain + 1).max(self.pinned),
            None => {}
        }
    }

    fn nest_right(&mut self) {
        self.rights += 1;
        self.mark_right();
    }

    fn mark_right(&mut self) {
        if let Some(angle) = self.angles.last_mut() {
            angle.right = true;
        }
    }
}

/// Most tokens that may be pending at once. Ordinary code stays below a few hundred.
pub(super) const PENDING_TOKENS_MAX: u32 = 1000;

/// Most levels of brackets, type arguments, casts, `?`, `=` and `=>` at once. The parser tries one reading of them
/// after another, which takes time that grows with their number.
const DEPTH_MAX: usize = 40;

/// Most brackets around a token that stand behind a `<` not yet closed. What follows such a `<` is read as types, then
/// as values, so each of them can double the time.
const ANGLED_MAX: usize = 5;

const TOO_DEEP: &str = "nested too deeply, or one statement too long, to be compiled. Split it into statements \
     or functions";
