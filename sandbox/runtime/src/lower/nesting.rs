//! Bounds how deeply a source can nest, before anything recursive reads it.
//!
//! Every level of the compiler's recursion, in parsing as in walking the tree, stems from at least one token that is
//! still *pending*: a bracket not yet closed, or a token of the statement or element under way. This counts the
//! pending tokens, so the count bounds the recursion whatever the grammar makes of them. Tokens stop pending where a
//! bracket closes, at `;` and `,`, and where a line break or a block certainly ends the statement; in doubt they stay.

use super::{
    finding::Finding,
    parameters::{Held, Parameters},
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
            Ok(Some(token)) => match pending.take(text, token) {
                Ok(()) => {
                    if pending.doubtful {
                        tokens.doubt();
                    }
                    continue;
                }
                Err(stop) => Err(stop),
            },
            Ok(None) => Ok(text.len()),
            Err(stop) => Err(stop),
        };
        let end = match end {
            Ok(end) | Err(Stop::Broken { end }) => end,
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
        pending.count(text, token).ok()?;
        if pending.doubtful {
            tokens.doubt();
        }
        most = most.max(pending.tokens());
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
    previous: Option<Token>,
    /// The token before closed what could be parameters.
    held: Option<Held>,
    /// Tokens that may be pending though they seem not to be.
    hidden: u32,
    /// How often that happened.
    hidings: u32,
    /// The compiler could have taken the last token for `=>`.
    doubtful: bool,
    /// The last `>` closed type parameters rather than type arguments.
    generic: bool,
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
    /// What it may hold instead of values.
    parameters: Option<Parameters>,
    /// Values, not types, start inside it.
    values: bool,
}

#[derive(Debug, Clone, Copy)]
struct Angle {
    /// Pending tokens up to and with the `<`.
    chain: u32,
    /// Something that nests to the right was read since.
    right: bool,
    /// No operand stands before it: it opens type parameters, or a cast.
    generic: bool,
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
    /// Takes one token, unless it exceeds a bound or cannot be reached.
    fn take(&mut self, text: &str, token: Token) -> Result<(), Stop> {
        self.count(text, token)?;
        let depth = self.outer.len() + self.speculative_below + self.level.speculative();
        let exceeds = self.tokens() > PENDING_TOKENS_MAX
            || depth > DEPTH_MAX
            || self.angled_below > ANGLED_MAX
            || self.hidings > HIDINGS_MAX;
        if exceeds { Err(Stop::Refused(Finding::new(offset(token.at), TOO_DEEP))) } else { Ok(()) }
    }

    fn tokens(&self) -> u32 {
        self.below + self.level.chain + self.hidden
    }

    fn count(&mut self, text: &str, token: Token) -> Result<(), Stop> {
        let ended = self.ended(text, token);
        self.check_held(text, token, ended)?;
        match ended {
            Ended::Statement => self.level.restart(),
            Ended::Part => {
                self.level.listed = false;
                self.level.rights = 0;
            }
            Ended::Nothing => {}
        }
        self.level.chain += 1;
        if let (Some(parameters), false) = (&mut self.level.parameters, matches!(token.kind, Kind::Close(_)))
        {
            parameters.take(text, token, !self.level.angles.is_empty());
        }
        self.nest(text, token);
        self.previous = Some(token);
        Ok(())
    }

    fn nest(&mut self, text: &str, token: Token) {
        match token.kind {
            Kind::Open => {
                let level = self.level_at(text, token);
                self.open(level);
            }
            Kind::Between => {
                self.close();
                self.level.chain += 1;
                self.open(Level { closed_to_statements: true, ..Level::default() });
            }
            Kind::Close(closed) => {
                self.held = self.level.parameters.and_then(Parameters::close);
                self.close();
                if closed == Closed::Head {
                    self.level.pin();
                }
            }
            Kind::Word(Word::Nested) => self.level.pin(),
            Kind::Word(Word::Cast) => self.level.rights += 1,
            Kind::Colon if !self.level.listed => self.level.pin(),
            Kind::Label => {
                self.level.listed = false;
                self.level.pin();
            }
            Kind::Comma => self.level.next_element(),
            Kind::Less => self.level.open_angle(token.before != After::Operand),
            Kind::Greater => self.generic = self.level.close_angle(),
            Kind::Right => self.level.nest_right(),
            Kind::Word(_) | Kind::Literal | Kind::Semicolon => {}
            Kind::Colon | Kind::Dot | Kind::Other => {}
        }
    }

    /// Looks at what follows brackets that may hold parameters: the compiler could take it for `=>`.
    fn check_held(&mut self, text: &str, token: Token, ended: Ended) -> Result<(), Stop> {
        self.doubtful = false;
        let Some(held) = self.held.take() else { return Ok(()) };
        let written = text.get(token.at..token.end).unwrap_or("");
        self.doubtful = written != "=>";
        let error = match held {
            // A brace opens the body of a method named like a keyword.
            Held::Parameters => !matches!(written, "=>" | ":" | "{"),
            Held::Either => ended == Ended::Nothing && starts_operand(text, token),
        };
        if error {
            return Err(Stop::Broken { end: self.previous.map_or(token.at, |previous| previous.end) });
        }
        // Behind these, the two readings would not even agree where tokens end.
        if !written.is_ascii() || written.starts_with('`') {
            return Err(Stop::Refused(Finding::new(offset(token.at), HELD_UNCLEAR)));
        }
        let ends = ended != Ended::Nothing
            || matches!(
                token.kind,
                Kind::Close(_) | Kind::Between | Kind::Semicolon | Kind::Comma | Kind::Greater
            );
        if ends {
            self.hidden += self.level.chain;
            self.hidings += 1;
        }
        Ok(())
    }

    /// The level that the opening bracket `token` starts.
    fn level_at(&self, text: &str, token: Token) -> Level {
        let written = text.get(token.at..token.end);
        let previous = self.previous.map(|previous| previous.kind);
        let word = self.previous.and_then(|previous| text.get(previous.at..previous.end));
        let generic = previous == Some(Kind::Greater) && self.generic;
        // A word between operands is an operator, any other may be the name of what is called.
        let operator = self.previous.is_some_and(|previous| previous.before != After::Nothing);
        let twice = self.previous.is_some_and(|previous| {
            let before = previous.at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
            before == text.as_bytes().get(previous.at)
        });
        let typed = match (previous, word) {
            (None | Some(Kind::Word(Word::Name) | Kind::Dot | Kind::Label), _) => false,
            (Some(Kind::Close(_) | Kind::Literal | Kind::Semicolon), _) => false,
            (Some(Kind::Word(_)), Some("as" | "satisfies" | "is")) => operator,
            (Some(Kind::Word(Word::Escaped)), _) => true,
            (Some(Kind::Word(_)), Some(word)) => BEFORE_TYPES.contains(&word),
            (Some(Kind::Greater), _) => generic,
            (Some(Kind::Open), _) => !self.level.values,
            // `&&` and `||` are read as two tokens each.
            (Some(Kind::Other), Some("&" | "|")) => !twice,
            (Some(Kind::Other), written) => written == Some("..."),
            (Some(_), _) => true,
        };
        let parameters = written == Some("(") && typed;
        Level {
            closed_to_statements: written != Some("{"),
            parameters: parameters.then(|| Parameters::new(generic || word == Some("new"))),
            values: written == Some("(") && !typed,
            ..Level::default()
        }
    }

    fn ended(&self, text: &str, token: Token) -> Ended {
        let word = matches!(token.kind, Kind::Word(_));
        // A template on the next line still belongs to the operand before it.
        let template = text.as_bytes().get(token.at) == Some(&b'`');
        let starts = word || (token.kind == Kind::Literal && !template);
        let previous = self.previous.map(|previous| previous.kind);
        let by_line = match (token.before, previous) {
            (After::Operand, Some(Kind::Word(Word::Name) | Kind::Literal | Kind::Close(_))) => token.new_line,
            (After::Braces, _) => word || token.new_line,
            _ => false,
        };
        let ended =
            previous == Some(Kind::Semicolon) || (starts && by_line && !self.level.closed_to_statements);
        match text.get(token.at..token.end) {
            _ if !ended => Ended::Nothing,
            Some(word) if CONTINUING.contains(&word) => Ended::Part,
            _ => Ended::Statement,
        }
    }

    fn open(&mut self, inner: Level) {
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

/// Whether `token` cannot follow an operand on the same line.
fn starts_operand(text: &str, token: Token) -> bool {
    let operator = || text.get(token.at..token.end).is_some_and(|word| CONTINUING.contains(&word));
    match token.kind {
        Kind::Word(_) => !operator(),
        Kind::Literal => text.as_bytes().get(token.at) != Some(&b'`'),
        _ => false,
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

    fn open_angle(&mut self, generic: bool) {
        self.angles.push(Angle { chain: self.chain, right: false, generic });
    }

    /// Ends type arguments, or compares: either way what stood between is complete, unless it nests to the right.
    /// Whether they were type parameters.
    fn close_angle(&mut self) -> bool {
        let Some(angle) = self.angles.pop() else { return false };
        if angle.right {
            self.mark_right();
        } else {
            self.chain = (angle.chain + 1).max(self.pinned);
        }
        angle.generic
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

/// Words that continue what stands before them, even on the next line.
const CONTINUING: &[&str] = &[
    "else",
    "while",
    "catch",
    "finally",
    "from",
    "of",
    "in",
    "instanceof",
    "as",
    "satisfies",
    "is",
    "extends",
    "implements",
];

/// Words, besides operators, that a type may follow.
const BEFORE_TYPES: &[&str] =
    &["new", "extends", "in", "keyof", "infer", "readonly", "unique", "asserts", "implements"];

/// Most brackets, as in `(a, b)`, that a source may hold where they could be taken for parameters and end something.
const HIDINGS_MAX: u32 = 12;

const TOO_DEEP: &str = "nested too deeply, or one statement too long, to be compiled. Split it into statements \
     or functions";

const HELD_UNCLEAR: &str =
    "the brackets before this could be parameters or a value. Give the value a name first";
