//! The words of a gate: what stands between spaces, and signs of comparison, which need none around them.
use super::{ParseError, Problem};
use std::ops::Range;

/// One word, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) range: Range<usize>,
}

impl Token<'_> {
    pub(super) fn error(&self, problem: Problem, hint: Option<String>) -> ParseError {
        ParseError { range: self.range.clone(), problem, hint }
    }

    pub(super) fn not_a(&self, expected: &'static str, hint: &str) -> ParseError {
        self.error(Problem::NotA { found: self.text.to_owned(), expected }, Some(hint.to_owned()))
    }
}

/// Words between spaces; signs of comparison are words of their own.
pub(super) struct Tokens<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token<'a>>>,
    end: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let kind = |c: char| if c.is_whitespace() { 0 } else { 1 + u8::from(is_sign(c)) };
        let mut tokens: Vec<Token<'a>> = Vec::new();
        let mut last_kind = 0;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            match tokens.last_mut() {
                Some(token) if kind(c) != 0 && kind(c) == last_kind => {
                    token.range.end = end;
                    token.text = &text[token.range.clone()];
                }
                _ if kind(c) != 0 => tokens.push(Token { text: &text[at..end], range: at..end }),
                _ => {}
            }
            last_kind = kind(c);
        }
        Self { tokens: tokens.into_iter().peekable(), end: text.trim_end().len() }
    }

    pub(super) fn next(&mut self, what: &'static str) -> Result<Token<'a>, ParseError> {
        let missing = ParseError { range: self.end..self.end, problem: Problem::Missing(what), hint: None };
        self.tokens.next().ok_or(missing)
    }

    pub(super) fn peek(&mut self) -> Option<Token<'a>> {
        self.tokens.peek().cloned()
    }

    /// Where the line ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    pub(super) fn skip(&mut self) {
        self.tokens.next();
    }

    pub(super) fn skip_equals(&mut self) {
        self.tokens.next_if(|token| token.text == "=");
    }
}
