//! A scenario being drafted, and its text: TOML with comments that say what is left to do.
use reports::units::format_duration;
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// The most steps of a journey.
const STEPS_MAX: usize = loadtest::written::STEPS_MAX;
/// The most characters of a comment's line.
const LINE_MAX: usize = 116;

/// A scenario to start from.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) title: String,
    /// What could not be carried over, and what to look at.
    pub(super) notes: Vec<String>,
    /// Where the service that was seen or described is.
    pub(super) url: Option<String>,
    pub(super) journeys: Vec<Journey>,
}

/// A journey of it.
#[derive(Debug, Default)]
pub(super) struct Journey {
    pub(super) name: String,
    pub(super) login: bool,
    pub(super) steps: Vec<Step>,
}

/// A request of it.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) notes: Vec<String>,
    pub(super) name: String,
    pub(super) method: String,
    /// With places filled in, everything else as it is sent.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    /// A text with places filled in.
    pub(super) body: Option<String>,
    pub(super) statuses: Vec<u16>,
    /// Names with JSON pointers.
    pub(super) saves: Vec<(String, String)>,
    pub(super) is_streamed: bool,
    pub(super) think: Option<Duration>,
}

impl Draft {
    /// The text of the scenario file.
    pub(super) fn text(mut self) -> String {
        self.split_long_journeys();
        let mut out = String::new();
        for note in &self.notes {
            comment(&mut out, note);
        }
        let _ = writeln!(
            out,
            "title = {}\nseed  = 1\n\ngates = [\"wrong = 0\", \"undeclared = 0\"]\n",
            quoted(&self.title)
        );
        let url = self.url.as_deref().unwrap_or("http://127.0.0.1:8000");
        let _ = writeln!(out, "# Without a target, the bundled TripSage stack is started and loaded.");
        let _ = writeln!(out, "# [target]\n# url = {}\n", quoted(url));
        let mix: Vec<String> = self.journeys.iter().map(|journey| format!("{} = 1", key(&journey.name))).collect();
        let _ = writeln!(
            out,
            "[load]\nduration = \"1m\"\nwarm_up  = \"10s\"\nusers    = 50\nmix      = {{ {} }}\narrivals = {{ poisson = {{ rate = \"5/s\", ramp = \"5s\" }} }}",
            mix.join(", ")
        );
        for journey in &self.journeys {
            let _ = writeln!(out, "\n[journeys.{}]\nlogin = {}", key(&journey.name), journey.login);
            for step in &journey.steps {
                step.write(&mut out, &journey.name);
            }
        }
        out
    }

    fn split_long_journeys(&mut self) {
        let mut journeys = Vec::new();
        for mut journey in std::mem::take(&mut self.journeys) {
            if journey.steps.len() > STEPS_MAX {
                let (name, count) = (&journey.name, journey.steps.len());
                self.notes.push(format!(
                    "Journey {name} had {count} steps and keeps the first {STEPS_MAX}, the most that a journey may have."
                ));
                journey.steps.truncate(STEPS_MAX);
            }
            journeys.push(journey);
        }
        self.journeys = journeys;
    }
}

impl Step {
    pub(super) fn write(&self, out: &mut String, journey: &str) {
        let _ = writeln!(out, "\n[[journeys.{}.steps]]", key(journey));
        for note in &self.notes {
            comment(out, note);
        }
        let mut line = |key: &str, value: String| {
            let _ = writeln!(out, "{key:<7} = {value}");
        };
        line("name", quoted(&self.name));
        line("method", quoted(&self.method));
        line("path", quoted(&self.path));
        if !self.query.is_empty() {
            line("query", table(&self.query));
        }
        if !self.headers.is_empty() {
            line("headers", table(&self.headers));
        }
        if let Some(body) = &self.body {
            line("body", long(body));
        }
        if !self.statuses.is_empty() {
            let statuses: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
            line("expect", format!("{{ status = [{}] }}", statuses.join(", ")));
        }
        if !self.saves.is_empty() {
            let save = |(name, at): &(String, String)| format!("{} = {{ json = {} }}", key(name), quoted(&escaped(at)));
            line("save", format!("{{ {} }}", self.saves.iter().map(save).collect::<Vec<_>>().join(", ")));
        }
        if self.is_streamed {
            line("stream", "true".to_owned());
        }
        if let Some(think) = self.think {
            line("think", quoted(&format_duration(think)));
        }
    }
}

/// A text in which nothing is taken for a place.
pub(super) fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// A text for a path, percent-encoded but for its places.
pub(super) fn encoded_around_places(text: &str) -> String {
    let mut encoded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((place, left)) = after.split_once('}').filter(|_| !before.ends_with('$')) else { break };
        encode(before, &mut encoded);
        let _ = write!(encoded, "${{{place}}}");
        rest = left;
    }
    encode(rest, &mut encoded);
    encoded
}

/// A path of plain words, percent-encoded.
pub(super) fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded_around_places).collect::<Vec<_>>().join("/")
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Makes a name of letters, digits, `.`, `_` and `-` that is not taken yet.
pub(crate) fn name(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = String::new();
    for c in wanted.chars() {
        let c = if c.is_ascii_alphanumeric() || "._".contains(c) { c } else { '-' };
        if c != '-' || !name.ends_with(['-', '.']) {
            name.push(c);
        }
    }
    let name: String = name.trim_matches(['-', '.']).chars().take(56).collect();
    let name = if name.is_empty() { "step".to_owned() } else { name };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.expect("numbers do not end");
    taken.insert(free.clone());
    free
}

/// Names that the program's journeys and steps have.
pub(super) fn built_in_names() -> BTreeSet<String> {
    let names = loadtest::journeys::ALL.iter().flat_map(|journey| {
        let steps = journey.steps().iter().map(|step| step.name.to_owned());
        steps.chain([journey.name().to_owned()]).collect::<Vec<_>>()
    });
    names.collect()
}

pub(super) fn comment(out: &mut String, text: &str) {
    for paragraph in text.lines() {
        let mut line = String::from("#");
        for word in paragraph.split(' ') {
            if line.chars().count() + word.chars().count() >= LINE_MAX && line != "#" {
                let _ = writeln!(out, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(&word.replace(char::is_control, "?"));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if is_bare { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

fn table(entries: &[(String, String)]) -> String {
    let entry = |(name, value): &(String, String)| format!("{} = {}", key(name), quoted(value));
    format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
}

/// A text of several lines as it is, when TOML can write it so.
fn long(text: &str) -> String {
    let is_plain = !text.contains("'''") && !text.ends_with('\'') && text.chars().all(|c| c == '\n' || !c.is_control());
    if is_plain && text.contains('\n') { format!("'''\n{text}'''") } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_to_fit_and_told_apart() {
        let mut taken = BTreeSet::from(["chat".to_owned()]);
        assert_eq!(name("chat", &mut taken), "chat-2");
        assert_eq!(name("get /a b/{id}/", &mut taken), "get-a-b-id");
        assert_eq!(name("get /a b/{id}/", &mut taken), "get-a-b-id-2");
        assert_eq!(name("//", &mut taken), "step");
        assert!(name(&"x".repeat(100), &mut taken).len() <= 64);
    }

    #[test]
    fn a_path_is_encoded_but_for_its_places() {
        for (text, expected) in [
            ("a b/c", "a%20b%2Fc"),
            ("x ${date+1d}é", "x%20${date+1d}%C3%A9"),
            ("$${x}", "%24%24%7Bx%7D"),
            ("${x", "%24%7Bx"),
        ] {
            assert_eq!(encoded_around_places(text), expected);
        }
    }

    #[test]
    fn texts_of_every_kind_are_read_as_they_were_written() {
        for text in ["a", "a\nb", "a'''\nb", "a\n'", "\"\\\n\t", "\u{1}\n", "ä\nß", ""] {
            let table: toml::Table = format!("t = {}", long(text)).parse().unwrap();
            assert_eq!(table["t"].as_str(), Some(text), "{}", long(text));
        }
    }
}
