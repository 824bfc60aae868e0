//! What may stand between `${` and `}`: a column of a feeder, something saved, the arrival, a key, a date, a random draw.
//!
//! One more kind of value is one more variant, its name in [`KNOWN`], and its line in `parse` and `value`.
use super::{facts::Facts, feeder::Feeder, number::number, template::text_of};
use jiff::ToSpan as _;
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

/// The most days that a date may lie from today.
const DAYS_MAX: i64 = 36_500;
/// The most hexadecimal digits of one draw.
const DIGITS_MAX: usize = 256;
/// Whole numbers beyond this are not exact in every JSON reader. Source: RFC 8259, section 6.
const WHOLE_MAX: i64 = (1 << 53) - 1;
/// Names that feeders cannot have.
pub(super) const KNOWN: [&str; 5] = ["arrival", "key", "date", "random", "saved"];

/// A value with the type that it is wanted as.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    source: Source,
    wanted: Option<Wanted>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Wanted {
    Number,
    Text,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    /// The number of the arrival.
    Arrival,
    /// A key that no other request of this or another run has.
    Key,
    /// The day of the run, so many days later; drawn when the two differ.
    Date { first: i64, last: i64 },
    /// A whole number from the first to the last, both included.
    Int { first: i64, last: i64 },
    /// A random UUID, version 4.
    Uuid,
    /// So many hexadecimal digits.
    Hex { digits: usize },
    /// One of the texts.
    OneOf(Vec<String>),
    /// What an earlier step has saved.
    Saved(String),
    /// A cell of the arrival's row.
    Cell { feeder: usize, column: usize },
}

/// What places may name.
#[derive(Debug, Clone)]
pub(super) struct Names<'a> {
    pub(super) feeders: &'a [Arc<Feeder>],
    /// What the steps before save.
    pub(super) saved: &'a BTreeSet<String>,
}

/// Why a place cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It has no end.
    #[error("`{place}` has no closing brace; write `$${{` for `${{` as it is")]
    Unclosed {
        /// Its beginning.
        place: String,
    },
    /// It stands where nothing is filled in.
    #[error("`{place}` is not filled in here, in a name or a JSON pointer; write `$${{` for `${{` as it is")]
    Misplaced {
        /// Its beginning.
        place: String,
    },
    /// Nothing has this name.
    #[error("unknown name `{name}`; known are {known}")]
    UnknownName {
        /// What was written.
        name: String,
        /// What could be.
        known: String,
    },
    /// The feeder has no such column.
    #[error("unknown column `{column}` of feeder {feeder}; known are {known}")]
    UnknownColumn {
        /// The feeder.
        feeder: String,
        /// What was written.
        column: String,
        /// What could be.
        known: String,
    },
    /// No earlier step saves it.
    #[error("`{name}` is saved by no earlier step; {known}")]
    NotSaved {
        /// What was written.
        name: String,
        /// What is saved.
        known: String,
    },
    /// It is not written as it must be.
    #[error("`${{{place}}}` is not understood; write {instead}")]
    Malformed {
        /// What was written.
        place: String,
        /// How it is written.
        instead: &'static str,
    },
}

impl Expression {
    /// Reads what stands between the braces.
    pub(super) fn parse(text: &str, names: &Names<'_>) -> Result<Self, Error> {
        let (name, wanted) = match text.rsplit_once('|') {
            Some((name, wanted)) => (name.trim(), Some(wanted.trim())),
            None => (text, None),
        };
        let malformed = |instead| Error::Malformed { place: text.to_owned(), instead };
        let wanted = match wanted {
            None => None,
            Some("number") => Some(Wanted::Number),
            Some("text") => Some(Wanted::Text),
            Some(_) => return Err(malformed("a name, alone or with `|number` or `|text`")),
        };
        Ok(Self { source: Source::parse(name, names)?, wanted })
    }

    /// Its value for one arrival.
    pub(super) fn value(&self, facts: &mut Facts<'_>) -> Value {
        let value = self.source.value(facts);
        match self.wanted {
            None => value,
            Some(Wanted::Text) => Value::from(text_of(&value)),
            Some(Wanted::Number) => number(text_of(&value).trim()).map_or(value, Value::Number),
        }
    }

    /// Whether it is drawn anew each time.
    pub(super) fn is_random(&self) -> bool {
        match &self.source {
            Source::Int { .. } | Source::Uuid | Source::Hex { .. } | Source::OneOf(_) => true,
            Source::Date { first, last } => first != last,
            Source::Arrival | Source::Key | Source::Saved(_) | Source::Cell { .. } => false,
        }
    }
}

impl Source {
    fn parse(name: &str, names: &Names<'_>) -> Result<Self, Error> {
        let malformed = |instead| Error::Malformed { place: name.to_owned(), instead };
        let is_other_name = |rest: &&str| rest.starts_with(|c: char| c.is_alphanumeric() || "_.".contains(c));
        if let Some(days) = name.strip_prefix("date").filter(|rest| !is_other_name(rest)) {
            return date(days).ok_or_else(|| malformed("`date`, `date+30d`, `date-1d` or `date+14..112d`"));
        }
        if let Some(draw) = name.strip_prefix("random.") {
            let instead = "`random.int(1, 9)`, `random.one_of(red, green)`, `random.hex(16)` or `random.uuid`";
            return random(draw).ok_or_else(|| malformed(instead));
        }
        if let Some(saved) = name.strip_prefix("saved.") {
            if names.saved.contains(saved) {
                return Ok(Self::Saved(saved.to_owned()));
            }
            let known = match list(names.saved.iter().map(String::as_str)) {
                none if none.is_empty() => "nothing is".to_owned(),
                some => format!("saved are {some}"),
            };
            return Err(Error::NotSaved { name: saved.to_owned(), known });
        }
        match name {
            "arrival" => Ok(Self::Arrival),
            "key" => Ok(Self::Key),
            _ => cell(name, names),
        }
    }

    fn value(&self, facts: &mut Facts<'_>) -> Value {
        match self {
            Self::Arrival => facts.arrival.into(),
            Self::Key => facts.key().into(),
            Self::Date { first, last } => {
                let days = if first == last { *first } else { between(facts, *first, *last) };
                facts.day.saturating_add(days.days()).to_string().into()
            }
            Self::Int { first, last } => between(facts, *first, *last).into(),
            Self::Uuid => uuid(facts).into(),
            Self::Hex { digits } => hex(facts, *digits).into(),
            Self::OneOf(texts) => facts.draw.one_of(texts).as_str().into(),
            Self::Saved(name) => facts.saved.get(name).cloned().unwrap_or_default(),
            Self::Cell { feeder, column } => facts.feeders[*feeder].row(facts.seed, facts.arrival)[*column].clone(),
        }
    }
}

fn cell(name: &str, names: &Names<'_>) -> Result<Source, Error> {
    let found = name.split_once('.').and_then(|(feeder, column)| {
        let index = names.feeders.iter().position(|known| known.name == feeder)?;
        Some((index, column))
    });
    let Some((feeder, column)) = found else {
        let feeders = names.feeders.iter().flat_map(|feeder| {
            let column = |column: &String| format!("{}.{column}", feeder.name);
            feeder.rows.columns.iter().map(column)
        });
        let feeders: Vec<String> = feeders.collect();
        let saved: Vec<String> = names.saved.iter().map(|name| format!("saved.{name}")).collect();
        let built_in = ["arrival", "key", "date", "random.int", "random.one_of", "random.hex", "random.uuid"];
        let known = list(built_in.into_iter().chain(saved.iter().chain(&feeders).map(String::as_str)));
        return Err(Error::UnknownName { name: name.to_owned(), known });
    };
    let columns = &names.feeders[feeder].rows.columns;
    match columns.iter().position(|known| known == column) {
        Some(column) => Ok(Source::Cell { feeder, column }),
        None => Err(Error::UnknownColumn {
            feeder: names.feeders[feeder].name.clone(),
            column: column.to_owned(),
            known: list(columns.iter().map(String::as_str)),
        }),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Reads what follows `date`.
fn date(text: &str) -> Option<Source> {
    if text.is_empty() {
        return Some(Source::Date { first: 0, last: 0 });
    }
    let (sign, text) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let text = text.strip_suffix('d')?;
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let days = |text: &str| text.parse::<u32>().ok().map(i64::from).filter(|days| *days <= DAYS_MAX);
    let (first, last) = (sign * days(first)?, sign * days(last)?);
    Some(Source::Date { first: first.min(last), last: first.max(last) })
}

/// Reads what follows `random.`.
fn random(text: &str) -> Option<Source> {
    if text == "uuid" {
        return Some(Source::Uuid);
    }
    let (kind, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    match (kind, arguments.as_slice()) {
        ("int", [first, last]) => {
            let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
            let is_exact = first >= -WHOLE_MAX && last <= WHOLE_MAX;
            (first <= last && is_exact).then_some(Source::Int { first, last })
        }
        ("hex", [digits]) => {
            let digits = digits.parse().ok().filter(|digits| (1..=DIGITS_MAX).contains(digits))?;
            Some(Source::Hex { digits })
        }
        ("one_of", texts) if texts.iter().all(|text| !text.is_empty()) => {
            Some(Source::OneOf(texts.iter().map(|text| (*text).to_owned()).collect()))
        }
        _ => None,
    }
}

fn between(facts: &mut Facts<'_>, first: i64, last: i64) -> i64 {
    let count = usize::try_from(last.abs_diff(first) + 1).expect("at most two to the 54th");
    first + i64::try_from(facts.draw.below(count)).expect("below the count")
}

fn hex(facts: &mut Facts<'_>, digits: usize) -> String {
    let mut text = String::new();
    while text.len() < digits {
        let _ = write!(text, "{:016x}", facts.draw.bits());
    }
    text.truncate(digits);
    text
}

/// Source: RFC 9562, section 5.4.
fn uuid(facts: &mut Facts<'_>) -> String {
    let (high, low) = (facts.draw.bits(), facts.draw.bits());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(3 << 62)) | (2 << 62);
    let (high, low) = (format!("{high:016x}"), format!("{low:016x}"));
    format!("{}-{}-{}-{}-{}", &high[..8], &high[8..12], &high[12..], &low[..4], &low[4..])
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::{facts::tests::facts, feeder::RowOrder, rows::Rows, template::Template},
        *,
    };
    use rstest::rstest;
    use serde_json::json;
    use std::sync::LazyLock;

    static FEEDERS: LazyLock<Vec<Arc<Feeder>>> = LazyLock::new(|| {
        let rows = Rows {
            columns: vec!["name".into(), "age".into()],
            rows: vec![Box::from([json!("Zoë \"Z\"/?&"), json!(31)])],
            digest: String::new(),
        };
        vec![Arc::new(Feeder { name: "users".into(), order: RowOrder::Sequential, rows })]
    });
    static SAVED: LazyLock<BTreeSet<String>> = LazyLock::new(|| ["id".into(), "list".into()].into());

    pub(in super::super) fn names() -> Names<'static> {
        Names { feeders: &FEEDERS, saved: &SAVED }
    }

    pub(in super::super) fn feeders() -> &'static [Arc<Feeder>] {
        &FEEDERS
    }

    #[rstest]
    #[case(
        "ussers.name",
        "unknown name `ussers.name`; known are `arrival`, `key`, `date`, `random.int`, `random.one_of`, \
        `random.hex`, `random.uuid`, `saved.id`, `saved.list`, `users.name`, `users.age`"
    )]
    #[case("users.nam", "unknown column `nam` of feeder users; known are `name`, `age`")]
    #[case("saved.ix", "`ix` is saved by no earlier step; saved are `id`, `list`")]
    #[case("date+d", "`${date+d}` is not understood; write `date`, `date+30d`, `date-1d` or `date+14..112d`")]
    #[case("date+99999d", "`${date+99999d}` is not understood; write `date`, `date+30d`, `date-1d` or `date+14..112d`")]
    #[case(
        "random.int(9,1)",
        "`${random.int(9,1)}` is not understood; write `random.int(1, 9)`, `random.one_of(red, green)`, \
        `random.hex(16)` or `random.uuid`"
    )]
    #[case(
        "random.hex(0)",
        "`${random.hex(0)}` is not understood; write `random.int(1, 9)`, `random.one_of(red, green)`, \
        `random.hex(16)` or `random.uuid`"
    )]
    #[case(
        "random.int(0, 9007199254740992)",
        "`${random.int(0, 9007199254740992)}` is not understood; write \
        `random.int(1, 9)`, `random.one_of(red, green)`, `random.hex(16)` or `random.uuid`"
    )]
    #[case("arrival|float", "`${arrival|float}` is not understood; write a name, alone or with `|number` or `|text`")]
    #[case(
        "",
        "unknown name ``; known are `arrival`, `key`, `date`, `random.int`, `random.one_of`, `random.hex`, \
        `random.uuid`, `saved.id`, `saved.list`, `users.name`, `users.age`"
    )]
    fn what_cannot_be_filled_is_refused(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Expression::parse(text, &names()).unwrap_err().to_string(), expected);
    }

    #[test]
    fn draws_stay_in_their_range_and_follow_from_the_arrival() {
        let template = "${random.int(-2, 2)} ${random.one_of(a, b)} ${random.hex(20)} ${random.uuid} ${date+1..3d}";
        let template = Template::parse(template, &names()).unwrap();
        let fill = |k: u64| template.fill(&mut facts().of_arrival(k), super::super::template::Escape::None);
        let mut seen = BTreeSet::new();
        for k in 0..200 {
            let text = fill(k);
            assert_eq!(text, fill(k));
            let parts: Vec<&str> = text.split(' ').collect();
            assert!((-2..=2).contains(&parts[0].parse::<i64>().unwrap()) && ["a", "b"].contains(&parts[1]), "{text}");
            assert!(parts[2].len() == 20 && parts[3].len() == 36 && &parts[3][14..15] == "4", "{text}");
            assert!(["2030-02-01", "2030-02-02", "2030-02-03"].contains(&parts[4]), "{text}");
            seen.insert((parts[0].to_owned(), parts[1].to_owned(), parts[4].to_owned()));
        }
        assert_eq!(seen.len(), 5 * 2 * 3, "everything that can come comes");
    }
}
