//! What a tool is written in, and its text.

/// Language a tool's source is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// TypeScript; types are erased, never checked.
    TypeScript,
    /// JavaScript (an ES module).
    JavaScript,
}

/// One tool's source: an ES module whose default export is a function `(input, env) => output`.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Language of `text`.
    pub language: Language,
    /// File name shown in messages; never opened.
    pub file: &'a str,
    /// The module's text, as its author wrote it.
    pub text: &'a str,
}

/// How a tool answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Once.
    Function,
    /// With any number of items: its default export is a generator function.
    Generator,
}

/// What lowers sources, with its version: recorded beside what was made from them.
pub const COMPILER: &str = "oxc 0.146.0";
