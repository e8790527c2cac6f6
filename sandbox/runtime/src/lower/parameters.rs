//! Tells brackets that could hold the parameters of a function type from those that cannot.
//!
//! Behind such brackets the compiler takes whatever token follows for the `=>`, be it another closing bracket or a
//! `;`. What is counted here then ended is still pending there.

use super::token::{Kind, Token, Word};

/// What one pair of round brackets, where a type could stand, holds so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters {
    state: State,
    /// It is the list of a function type even if it is a single name.
    forced: bool,
    /// It has what only a list of parameters has.
    certain: bool,
    /// It has what makes a list of a single name.
    marked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A parameter has to follow.
    Start,
    /// Behind a name or pattern.
    Bound,
    /// Behind `name?`.
    Optional,
    /// In a type or default value.
    Rest,
    /// No parameters.
    Other,
}

/// What brackets turn out to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Parameters: without `=>` or `:` behind them, this is a syntax error.
    Parameters,
    /// Parameters, or values listed or assigned, as in `(a, b)` and `(a = b)`.
    Either,
}

impl Parameters {
    pub(super) fn new(forced: bool) -> Self {
        Self { state: State::Start, forced, certain: false, marked: false }
    }

    /// Takes a token inside the brackets, but not inside others within them; `in_angles` if type arguments are open.
    pub(super) fn take(&mut self, text: &str, token: Token, in_angles: bool) {
        let written = text.get(token.at..token.end).unwrap_or("");
        self.state = match (self.state, token.kind) {
            (State::Other, _) => State::Other,
            (State::Rest, Kind::Comma) if !in_angles => State::Start,
            (State::Rest, _) => State::Rest,
            (State::Start, Kind::Word(_)) => State::Bound,
            (State::Start, Kind::Open) if written == "{" || written == "[" => State::Bound,
            (State::Start, Kind::Other) if written == "..." => {
                self.certain = true;
                State::Start
            }
            (State::Bound, Kind::Comma) => State::Start,
            (State::Bound | State::Optional, Kind::Colon) => {
                self.certain = true;
                State::Rest
            }
            (State::Bound, Kind::Right) if written == "?" => State::Optional,
            (State::Bound | State::Optional, Kind::Right) if written == "=" => State::Rest,
            // The name was a modifier.
            (State::Bound, Kind::Word(Word::Name | Word::Modifier)) => State::Bound,
            (State::Optional, Kind::Comma) => State::Start,
            (State::Start | State::Bound | State::Optional, _) => State::Other,
        };
        self.marked |= matches!(token.kind, Kind::Comma | Kind::Colon | Kind::Right);
    }

    /// What the brackets held, now that they close; `None` if no parameters.
    pub(super) fn close(self) -> Option<Held> {
        match self.state {
            State::Other => None,
            State::Optional => Some(Held::Parameters),
            State::Start if !self.marked => Some(Held::Parameters),
            _ if self.certain => Some(Held::Parameters),
            _ if self.marked || self.forced => Some(Held::Either),
            State::Start | State::Bound | State::Rest => None,
        }
    }
}
