//! What a token is, as far as nesting cares, and what it leaves behind.

use super::finding::Finding;

/// One token and what came before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// A line ended since the token before.
    pub(super) new_line: bool,
    /// What the token before left behind.
    pub(super) before: After,
}

/// What a token is, as far as nesting cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word(Word),
    /// A number, string, regular expression or whole template.
    Literal,
    /// `(`, `[`, `{`, or the part of a template before `${`.
    Open,
    Close(Closed),
    /// The part of a template between two substitutions: closes one, opens the next.
    Between,
    Comma,
    Semicolon,
    Colon,
    /// The `:` of a `case` or `default`.
    Label,
    Dot,
    Less,
    Greater,
    /// `?`, `=`, `=>` and the compound assignments: what follows them nests to the right.
    Right,
    Other,
}

/// What a closing bracket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The head of `if`, `for`, `while` or `with`: a nested statement follows.
    Head,
    /// `{ … }`.
    Braces,
    /// Any other pair.
    Plain,
}

/// A name or keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Ends an operand, and with it a statement if a line ends behind it.
    Name,
    /// A name that may also announce what follows it, even on the next line.
    Modifier,
    /// A keyword in front of an operand.
    Prefix,
    /// `if`, `for`, `while`, `with`.
    Head,
    /// `else` and `do`: a nested statement follows.
    Nested,
    /// `as` and `satisfies`, or names: a type may follow.
    Cast,
    /// A word that only the grammar tells to be a keyword or a name, or whether a statement ends behind it.
    Unclear,
    /// Written with escapes: the compiler may still take it for any keyword.
    Escaped,
}

/// What the tokens so far leave behind, for the one that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// An operand has to follow: `/` opens a regular expression.
    Nothing,
    /// An operand ended: on the same line, `/` divides.
    Operand,
    /// `}`: a statement or an operand ended.
    Braces,
    /// Either.
    Unclear,
}

/// Why the tokens end before the source does.
#[derive(Debug)]
pub(super) enum Stop {
    /// A certain syntax error ends here (exclusive); nothing behind it needs to be read to report it.
    Broken { end: usize },
    /// The source is refused.
    Refused(Finding),
}

impl Word {
    /// Class of a word written without escapes that stands where a keyword could.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "if" | "for" | "while" | "with" => Self::Head,
            "else" | "do" => Self::Nested,
            "return" | "typeof" | "case" | "in" | "instanceof" | "new" | "delete" | "throw" | "default"
            | "extends" => Self::Prefix,
            "void" | "const" | "var" | "import" | "export" | "class" | "function" | "enum" | "try"
            | "catch" | "finally" | "break" | "continue" | "debugger" | "switch" | "of" | "yield"
            | "await" | "is" | "keyof" | "infer" | "readonly" | "unique" | "asserts" | "implements" => {
                Self::Unclear
            }
            "as" | "satisfies" => Self::Cast,
            "let" | "using" | "type" | "interface" | "declare" | "abstract" | "namespace" | "module"
            | "global" | "static" | "get" | "set" | "accessor" | "public" | "private" | "protected"
            | "override" | "out" | "async" => Self::Modifier,
            _ => Self::Name,
        }
    }
}

impl After {
    /// What `++`, `--` or `!` leaves behind: it follows an operand, or announces one.
    pub(super) fn postfix(before: Self, after: Self) -> Self {
        match (before, after) {
            (_, Self::Nothing) => Self::Nothing,
            (Self::Operand, _) => Self::Operand,
            _ => Self::Unclear,
        }
    }
}
