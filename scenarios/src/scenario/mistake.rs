//! What is wrong in a scenario file, shown at its place in the text.
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use reports::gate::ParseError;
use std::{fmt, ops::Range};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, in one line.
    pub text: String,
    /// Where, in bytes of the file; `None` when it is about the whole file.
    pub range: Option<Range<usize>>,
    /// How to put it right.
    pub hint: Option<String>,
}

/// Everything that is wrong in one file.
#[derive(Debug)]
pub struct Mistakes {
    /// The file's name for people.
    pub path: String,
    /// Its text.
    pub source: String,
    /// What is wrong, in the order of the file.
    pub list: Vec<Mistake>,
}

impl Mistake {
    /// A mistake at a place.
    #[must_use]
    pub fn at(range: Range<usize>, text: impl fmt::Display, hint: impl Into<Option<String>>) -> Self {
        // What was given by a flag has no place in the file.
        let range = Some(range).filter(|range| !range.is_empty());
        Self { text: text.to_string(), range, hint: hint.into() }
    }

    /// What is wrong with a gate. A gate is written as a basic string without escapes, so its text begins one byte after the quote.
    #[must_use]
    pub fn in_gate(gate: &toml::Spanned<String>, error: &ParseError) -> Self {
        if gate.span().is_empty() {
            let text = format!("in the gate `{}` of a flag: {error}", gate.get_ref());
            return Self { text, range: None, hint: error.hint.clone() };
        }
        let start = gate.span().start + 1;
        Self::at(start + error.range.start..start + error.range.end, error, error.hint.clone())
    }

    /// A mistake whose text quotes the wrong name first and then the known ones.
    #[must_use]
    pub fn of_names(range: Option<Range<usize>>, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self { hint: nearest_in(&text), text, range }
    }

    /// What the TOML reader complains about.
    #[must_use]
    pub fn of_toml(error: &toml::de::Error) -> Self {
        Self::of_names(error.span(), error.message().trim_end())
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
        writeln!(f, "{} cannot be run as written", self.path)?;
        for mistake in &self.list {
            let groups = self.groups(mistake);
            writeln!(f, "\n{}", renderer.render(&groups))?;
        }
        Ok(())
    }
}

impl Mistakes {
    fn groups<'a>(&'a self, mistake: &'a Mistake) -> Vec<Group<'a>> {
        let title = Level::ERROR.primary_title(mistake.text.as_str());
        let mut group = match &mistake.range {
            Some(range) => {
                let end = self.source.floor_char_boundary(range.end);
                let span = self.source.floor_char_boundary(range.start.min(end))..end;
                let snippet = Snippet::source(self.source.as_str()).path(self.path.as_str());
                title.element(snippet.annotation(AnnotationKind::Primary.span(span)))
            }
            None => Group::with_title(title),
        };
        if let Some(hint) = &mistake.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        vec![group]
    }
}

/// The known name nearest to one that is not known, when it is near enough to be a slip.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (distance(wrong, name), name));
    scored.filter(|(d, name)| *d <= 1 + name.len() / 4).min().map(|(_, name)| name)
}

/// In a text like "unknown field `a`, expected one of `b`, `c`": the quoted name nearest to the first.
fn nearest_in(text: &str) -> Option<String> {
    let mut quoted = text.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(|name| format!("did you mean `{name}`?"))
}

/// Edits (insert, delete, replace, swap neighbours) between two texts. Source: optimal string alignment distance.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<_>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_the_name_that_was_meant() {
        let known = ["duration", "warm_up", "users", "mix"];
        assert_eq!(nearest("duraton", known), Some("duration"));
        assert_eq!(nearest("warmup", known), Some("warm_up"));
        assert_eq!(nearest("uesrs", known), Some("users"));
        assert_eq!(nearest("frobnicate", known), None);
    }
}
