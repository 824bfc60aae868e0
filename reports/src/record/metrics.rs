//! What the target said of itself while it was loaded: its metrics, looked at again and again. Written as `metrics.txt`.
//!
//! One series per line, with its values in the notation of Prometheus' rule tests: `up{job="tripsage"} 1+0x59 0+0x9 1+0x50`.
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The names and values that tell the series of one metric apart.
pub type Labels = BTreeMap<String, String>;

/// How a target was watched by its own metrics and alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitoring {
    /// Where the metrics were read.
    pub url: String,
    /// Where the alert rules came from, for people. A copy of them is in the run's folder.
    pub rules: String,
    /// How often the Prometheus looks that these rules are for, in nanoseconds.
    pub interval_ns: u64,
    /// Looks that were not taken, or found no page.
    pub failed_looks: u64,
    /// What `promtool` said to the evaluation of the rules; `None` when it was not asked.
    #[serde(default)]
    pub promtool: Option<PromtoolAnswer>,
}

/// What `promtool` said to which alerts fire when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromtoolAnswer {
    /// The same.
    Agrees {
        /// Its version.
        version: String,
        /// Instants that it was asked about.
        instants: usize,
    },
    /// Something else.
    Differs {
        /// Its version.
        version: String,
        /// What it said.
        said: String,
    },
    /// It could not be asked.
    Unasked {
        /// Why not.
        why: String,
    },
}

/// The course of all series that were watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The time between two looks; the first was at clock zero. Whole milliseconds.
    pub every: Duration,
    /// The series, each with as many values as there were looks since it was first seen, those before counted as missing.
    pub series: Vec<MetricSeries>,
}

impl Metrics {
    /// How many looks there were.
    #[must_use]
    pub fn look_count(&self) -> usize {
        self.series.iter().map(|series| series.values.len()).max().unwrap_or(0)
    }

    /// How many looks a Prometheus skips to the next of its own, which are that far apart; at least 1.
    #[must_use]
    pub fn looks_per(&self, interval: Duration) -> usize {
        usize::try_from(interval.as_nanos() / self.every.as_nanos().max(1)).unwrap_or(usize::MAX).max(1)
    }

    /// When a look was taken, in milliseconds since clock zero.
    #[must_use]
    pub fn at_ms(&self, look: usize) -> i64 {
        i64::try_from(look as u128 * self.every.as_millis()).unwrap_or(i64::MAX)
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let head = format!("{HEAD}{}ms\n", self.every.as_millis());
        self.series.iter().fold(head, |text, series| text + &series.line() + "\n")
    }

    /// Reads what [`Metrics::text`] wrote.
    ///
    /// # Errors
    /// The line, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut lines = text.lines();
        let head = lines.next().and_then(|head| head.strip_prefix(HEAD)?.strip_suffix("ms")?.parse().ok());
        let every = head.filter(|every: &u64| *every > 0).ok_or_else(|| (1, format!("not `{HEAD}…ms`")))?;
        let series =
            lines.enumerate().map(|(index, line)| MetricSeries::parse(line).map_err(|problem| (index + 2, problem)));
        Ok(Self { every: Duration::from_millis(every), series: series.collect::<Result<_, _>>()? })
    }
}

/// The first line, before the time between two looks.
const HEAD: &str = "# one value every ";

/// What a look at a series found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricValue {
    /// Nothing: the series was not there yet, or the look was not taken.
    Missing,
    /// It was there before, and is no longer; or the target did not answer.
    Stale,
    /// A number.
    Number(f64),
}

/// The course of one series: look k was taken k intervals after clock zero.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// What each look found, from the first on.
    pub values: Vec<MetricValue>,
}

impl MetricSeries {
    /// The series as one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.selector(), self.notation())
    }

    /// Its name with its labels, such as `up{job="tripsage"}`.
    #[must_use]
    pub fn selector(&self) -> String {
        let label = |(name, value): (&String, &String)| format!("{name}=\"{}\"", escaped(value));
        match self.labels.is_empty() {
            true => self.name.clone(),
            false => {
                let labels: Vec<String> = self.labels.iter().map(label).collect();
                format!("{}{{{}}}", self.name, labels.join(","))
            }
        }
    }

    /// Its values in the notation of Prometheus' rule tests: `0+0x2` is 0 three times, `_x2` two missing values.
    #[must_use]
    pub fn notation(&self) -> String {
        let mut words = Vec::new();
        for run in self.values.chunk_by(|one, next| is_same(*one, *next)) {
            match (run[0], run.len()) {
                (MetricValue::Missing, 1) => words.push("_".to_owned()),
                (MetricValue::Missing, count) => words.push(format!("_x{count}")),
                (MetricValue::Stale, count) => words.extend(vec!["stale".to_owned(); count]),
                (MetricValue::Number(number), 1) => words.push(Shown(number).to_string()),
                (MetricValue::Number(number), count) => words.push(format!("{}+0x{}", Shown(number), count - 1)),
            }
        }
        words.join(" ")
    }

    /// Reads a line that [`MetricSeries::line`] wrote.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let (name, labels, rest) = parse_selector(line)?;
        let mut values = Vec::new();
        for word in rest.split_ascii_whitespace() {
            let wrong = || format!("`{word}` is no value");
            if word == "stale" {
                values.push(MetricValue::Stale);
                continue;
            }
            let (value, more) = match word.strip_prefix('_') {
                Some("") => (MetricValue::Missing, 0),
                Some(count) => {
                    let count: usize =
                        count.strip_prefix('x').and_then(|count| count.parse().ok()).ok_or_else(wrong)?;
                    (MetricValue::Missing, count.checked_sub(1).ok_or_else(wrong)?)
                }
                None => match word.split_once("+0x") {
                    Some((number, more)) => (number_of(number).ok_or_else(wrong)?, more.parse().map_err(|_| wrong())?),
                    None => (number_of(word).ok_or_else(wrong)?, 0),
                },
            };
            values.extend(std::iter::repeat_n(value, more + 1));
        }
        Ok(Self { name, labels, values })
    }
}

/// Takes a metric's name and labels from the front of a line, as `/metrics` pages write them too, and gives what follows.
///
/// # Errors
/// What is wrong with it.
pub fn parse_selector(line: &str) -> Result<(String, Labels, &str), String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == ':';
    let end = line.find(|character| !is_name(character)).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|character: char| character.is_ascii_digit()) {
        return Err(format!("`{}` does not begin with a metric's name", line.chars().take(40).collect::<String>()));
    }
    let mut labels = Labels::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            inside = inside.trim_start();
            if let Some(after) = inside.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) =
                inside.split_once("=\"").ok_or_else(|| format!("the labels of `{name}` do not end"))?;
            let (value, after) = unescape(after).ok_or_else(|| format!("label `{label}` of `{name}` does not end"))?;
            labels.insert(label.trim().to_owned(), value);
            inside = after.trim_start();
            inside = inside.strip_prefix(',').unwrap_or(inside);
        }
    }
    Ok((name.to_owned(), labels, rest))
}

/// The text up to the closing quote, and what follows it.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[position + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn is_same(one: MetricValue, other: MetricValue) -> bool {
    match (one, other) {
        (MetricValue::Number(one), MetricValue::Number(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}

fn number_of(text: &str) -> Option<MetricValue> {
    text.parse().ok().map(MetricValue::Number)
}

/// A number as Prometheus writes it.
struct Shown(f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            number if number == f64::INFINITY => f.write_str("+Inf"),
            number if number == f64::NEG_INFINITY => f.write_str("-Inf"),
            number => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MetricValue::{Missing, Number, Stale};

    fn series(values: &[MetricValue]) -> MetricSeries {
        let labels = [("route", "/trips/{id}"), ("why", "a \"quote\", a \\ and a\nline")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        MetricSeries { name: "tripsage_requests_total".to_owned(), labels, values: values.to_vec() }
    }

    #[test]
    fn a_series_is_read_as_it_was_written() {
        for (values, notation) in [
            (vec![], ""),
            (vec![Number(1.0)], "1"),
            (vec![Missing, Missing, Number(0.0), Number(0.0), Number(0.0), Number(7.5)], "_x2 0+0x2 7.5"),
            (vec![Number(3.0), Stale, Stale, Missing, Number(3.0)], "3 stale stale _ 3"),
            (
                vec![Number(f64::INFINITY), Number(f64::NEG_INFINITY), Number(0.1 + 0.2)],
                "+Inf -Inf 0.30000000000000004",
            ),
        ] {
            let series = series(&values);
            assert_eq!(series.notation(), notation);
            assert_eq!(MetricSeries::parse(&series.line()).unwrap(), series);
        }
        let nan = MetricSeries::parse(&series(&[Number(f64::NAN), Number(f64::NAN)]).line()).unwrap();
        assert!(matches!(nan.values[..], [Number(one), Number(other)] if one.is_nan() && other.is_nan()));
    }

    #[test]
    fn metrics_are_read_as_they_were_written() {
        let metrics =
            Metrics { every: Duration::from_millis(500), series: vec![series(&[Missing, Number(2.0)]), series(&[])] };
        assert_eq!(Metrics::parse(&metrics.text()).unwrap(), metrics);
        assert_eq!(metrics.look_count(), 2);
        assert_eq!(Metrics::parse("").unwrap_err().0, 1);
        assert_eq!(Metrics::parse("# one value every 0ms\n").unwrap_err().0, 1);
        assert_eq!(Metrics::parse(&(metrics.text() + "no series\n")).unwrap_err().0, 4);
    }

    #[test]
    fn what_is_no_series_is_refused() {
        for line in ["", "{a=\"b\"} 1", "7up 1", "up{a=\"b 1", "up{a} 1", "up one", "up _x0", "up 1+0xmany", "up _y"] {
            assert!(MetricSeries::parse(line).is_err(), "{line}");
        }
    }
}
