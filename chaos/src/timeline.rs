//! The timeline: when each fault is on, decided before the first byte. Pure: no clock, no file, no unseeded number.
use std::{fmt, ops::Range, time::Duration};

use reports::units::format_duration;

use crate::{
    aim,
    fault::{self, Fault, Means},
    forward::Selector,
    settings::{Direction, FaultSettings},
};

/// A lease shorter than this cannot be renewed in time on a busy machine.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);
/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.6;

/// All faults of a run, in the order in which they begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    faults: Vec<TimedFault>,
    run: Duration,
}

/// A fault with its time, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedFault {
    /// Unique in the run.
    pub name: String,
    /// The link it acts on.
    pub link: String,
    /// When it goes on, since the start of the run.
    pub on: Duration,
    /// When it goes off.
    pub off: Duration,
    /// What goes wrong.
    pub fault: Fault,
    /// How a fault proxy brings it about.
    pub means: Means,
    /// The direction it touches.
    pub direction: Direction,
    /// The share of connections it takes hold of, (0, 1]; of requests, when it is a rule.
    pub share: f64,
    /// The requests that a rule means; all for any other fault.
    pub selector: Selector,
    /// How long it stays when nobody renews it.
    pub lease: Duration,
}

/// A fault going on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When, since the start of the run.
    pub at: Duration,
    /// The fault: its index in [`Timeline::faults`].
    pub fault: usize,
    /// True when it goes on.
    pub goes_on: bool,
}

/// A mistake in the faults of a scenario, and where it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    /// What is wrong.
    #[source]
    pub problem: Problem,
    /// The bytes of the scenario file that say it.
    pub span: Range<usize>,
}

/// What is wrong with a fault of a scenario.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is no such link.
    #[error("there is no link `{link}`{}; the links are {}", suggestion(nearest), known.join(", "))]
    UnknownLink {
        /// As written.
        link: String,
        /// The known name that is most like it, if one is alike.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// It lasts no time.
    #[error("a fault that lasts no time does nothing")]
    ZeroLength,
    /// It begins or ends after the run has ended.
    #[error("the fault is on until {}, but the run ends at {}", format_duration(*off), format_duration(*run))]
    OutsideRun {
        /// When the fault would go off.
        off: Duration,
        /// How long the run is.
        run: Duration,
    },
    /// The same kind of fault is on the same link and direction at the same time.
    #[error("the fault overlaps `{other}`, which is the same kind of fault on the same link")]
    Overlap {
        /// The fault that begins first.
        other: String,
    },
    /// Two faults have the same name.
    #[error("there are two faults named `{name}`; names must differ, and the default is \"<link> <kind>\"")]
    SameName {
        /// The name.
        name: String,
    },
    /// The share is not in (0, 1].
    #[error("the share is {share}, but must be above 0 and at most 1")]
    Share {
        /// As written.
        share: f64,
    },
    /// A link is down as a whole.
    #[error("`down` acts on the whole link: leave `share` and `direction` out")]
    DownIsWhole,
    /// The link, or the choice of requests, is not one for such a fault.
    #[error(transparent)]
    Aim(#[from] aim::Problem),
    /// The lease could not be renewed in time.
    #[error("the lease is {}, but must be at least {}", format_duration(*lease), format_duration(SHORTEST_LEASE))]
    ShortLease {
        /// As written.
        lease: Duration,
    },
    /// The settings of the fault cannot be brought about.
    #[error(transparent)]
    Fault(#[from] fault::Error),
}

impl Timeline {
    /// Checks the faults against the links there are and the length of the run, and orders them.
    ///
    /// # Errors
    /// Every mistake found, in the order of the file.
    pub fn new<L: AsRef<str>>(settings: &[FaultSettings], links: &[L], run: Duration) -> Result<Self, Vec<Error>> {
        let mut faults: Vec<TimedFault> = Vec::new();
        let mut errors = Vec::new();
        for setting in settings {
            match checked(setting, links, run).and_then(|fault| unlike(fault, setting, &faults)) {
                Ok(fault) => faults.push(fault),
                Err(error) => errors.push(error),
            }
        }
        // Stable: faults that begin together stay in the order of the file.
        faults.sort_by_key(|fault| fault.on);
        if errors.is_empty() { Ok(Self { faults, run }) } else { Err(errors) }
    }

    /// The faults in the order in which they begin.
    #[must_use]
    pub fn faults(&self) -> &[TimedFault] {
        &self.faults
    }

    /// How long the run is.
    #[must_use]
    pub fn run(&self) -> Duration {
        self.run
    }

    /// Every going on and off, in order; at one instant, faults go off before others go on.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        let numbered = self.faults.iter().enumerate();
        let both = numbered.flat_map(|(index, fault)| {
            [(fault.on, true), (fault.off, false)].map(|(at, goes_on)| Change { at, fault: index, goes_on })
        });
        let mut changes: Vec<Change> = both.collect();
        changes.sort_by_key(|change| (change.at, change.goes_on));
        changes
    }
}

impl TimedFault {
    /// All of it in one line, such as `latency 1.5s ± 100ms downstream, every connection`.
    #[must_use]
    pub fn description(&self) -> String {
        match self.means {
            Means::Disable => format!("{}: connections refused and cut", self.fault),
            Means::Toxic { .. } if self.share < 1.0 => {
                format!("{} {}, {} % of connections", self.fault, self.direction, self.share * 100.0)
            }
            Means::Toxic { .. } => format!("{} {}, every connection", self.fault, self.direction),
            Means::Rule { .. } if self.share < 1.0 => {
                format!("{}, {} % of requests{}", self.fault, self.share * 100.0, self.selector)
            }
            Means::Rule { .. } => format!("{}, every request{}", self.fault, self.selector),
        }
    }

    fn clashes_with(&self, other: &TimedFault) -> bool {
        let is_same = self.link == other.link && self.fault.kind() == other.fault.kind();
        let overlaps = self.on < other.off && other.on < self.off;
        is_same && self.direction == other.direction && self.selector == other.selector && overlaps
    }
}

impl fmt::Display for Timeline {
    /// A table for people: one line per fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["on", "off", "link", "fault", "lease"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(self.faults.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [on, off, link, fault] = [0, 1, 2, 3].map(width);
        for row in &rows {
            writeln!(f, "{:>on$}  {:>off$}  {:<link$}  {:<fault$}  {}", row[0], row[1], row[2], row[3], row[4])?;
        }
        Ok(())
    }
}

fn row(fault: &TimedFault) -> [String; 5] {
    [
        format_duration(fault.on),
        format_duration(fault.off),
        fault.link.clone(),
        fault.description(),
        format_duration(fault.lease),
    ]
}

/// The fault on its own: its link, its time, its settings.
fn checked<L: AsRef<str>>(setting: &FaultSettings, links: &[L], run: Duration) -> Result<TimedFault, Error> {
    let link = setting.link.get_ref();
    if !links.iter().any(|known| known.as_ref() == link) {
        return Err(Error { problem: unknown_link(link, links), span: setting.link.span() });
    }
    let (on, lasts) = (setting.at.get_ref().0, setting.lasts.get_ref().0);
    if lasts.is_zero() {
        return Err(Error { problem: Problem::ZeroLength, span: setting.lasts.span() });
    }
    let off = on.saturating_add(lasts);
    if off > run {
        let span = if on >= run { setting.at.span() } else { setting.lasts.span() };
        return Err(Error { problem: Problem::OutsideRun { off, run }, span });
    }
    let share = *setting.share.get_ref();
    if !(share > 0.0 && share <= 1.0) {
        return Err(Error { problem: Problem::Share { share }, span: setting.share.span() });
    }
    let lease = setting.lease.get_ref().0;
    if lease < SHORTEST_LEASE {
        return Err(Error { problem: Problem::ShortLease { lease }, span: setting.lease.span() });
    }
    let fault = setting.fault.get_ref();
    let means = fault.means().map_err(|error| Error { problem: error.into(), span: setting.fault.span() })?;
    if means == Means::Disable && (share < 1.0 || setting.direction == Direction::Upstream) {
        return Err(Error { problem: Problem::DownIsWhole, span: setting.fault.span() });
    }
    let selector = setting.selector();
    aim::check(setting, &means, &selector)
        .map_err(|error| Error { problem: error.into(), span: setting.fault.span() })?;
    let name = setting.name.as_ref().map_or_else(|| format!("{link} {}", fault.kind()), |name| name.get_ref().clone());
    let (fault, direction) = (fault.clone(), setting.direction);
    Ok(TimedFault { name, link: link.clone(), on, off, fault, means, direction, share, selector, lease })
}

/// The fault beside those before it in the file.
fn unlike(fault: TimedFault, setting: &FaultSettings, others: &[TimedFault]) -> Result<TimedFault, Error> {
    if let Some(other) = others.iter().find(|other| fault.clashes_with(other)) {
        return Err(Error { problem: Problem::Overlap { other: other.name.clone() }, span: setting.at.span() });
    }
    if others.iter().any(|other| fault.name == other.name) {
        let span = setting.name.as_ref().map_or(setting.link.span(), |name| name.span());
        return Err(Error { problem: Problem::SameName { name: fault.name }, span });
    }
    Ok(fault)
}

fn unknown_link<L: AsRef<str>>(link: &str, links: &[L]) -> Problem {
    let alike = links.iter().map(|known| (strsim::jaro_winkler(link, known.as_ref()), known.as_ref()));
    let nearest = alike.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    Problem::UnknownLink {
        link: link.to_owned(),
        nearest: nearest.map(|(_, name)| name.to_owned()),
        known: links.iter().map(|known| known.as_ref().to_owned()).collect(),
    }
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const LINKS: [&str; 3] = ["client", "llm", "mcp.flights"];

    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        faults: Vec<FaultSettings>,
    }

    fn plan(lines: &[&str]) -> (String, Result<Timeline, Vec<Error>>) {
        let text: String = lines.iter().map(|line| format!("[[faults]]\n{}\n", line.replace("; ", "\n"))).collect();
        let file: File = toml::from_str(&text).unwrap();
        let timeline = Timeline::new(&file.faults, &LINKS, Duration::from_secs(40));
        (text, timeline)
    }

    const SLOW: &str = r#"link = "mcp.flights"; at = "15s"; for = "10s"; fault = { latency = { delay = "1s" } }"#;
    const DOWN: &str = r#"link = "llm"; at = "5s"; for = "10s"; fault = "down""#;

    #[test]
    fn faults_are_ordered_and_printed_the_same_every_time() {
        let (_, timeline) = plan(&[SLOW, DOWN]);
        let timeline = timeline.unwrap();
        let expected = [
            " on  off  link         fault                                    lease",
            " 5s  15s  llm          down: connections refused and cut        10s",
            "15s  25s  mcp.flights  latency 1s downstream, every connection  10s",
            "",
        ]
        .join("\n");
        assert_eq!(timeline.to_string(), expected);
        assert_eq!(plan(&[SLOW, DOWN]).1.unwrap().to_string(), expected);
        let changes: Vec<_> = timeline.changes().iter().map(|c| (c.at.as_secs(), c.fault, c.goes_on)).collect();
        assert_eq!(changes, [(5, 0, true), (15, 0, false), (15, 1, true), (25, 1, false)]);
        assert_eq!(timeline.faults()[1].name, "mcp.flights latency");
    }

    fn refused(lines: &[&str], at: &str, said: &str) {
        let (text, timeline) = plan(lines);
        let errors = timeline.unwrap_err();
        let [error] = &errors[..] else { panic!("one mistake, not {errors:?}") };
        assert_eq!((&text[error.span.clone()], error.to_string().as_str()), (at, said));
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        refused(
            &[&SLOW.replace("mcp.flights", "mcp.flight")],
            "\"mcp.flight\"",
            "there is no link `mcp.flight` (did you mean `mcp.flights`?); the links are client, llm, mcp.flights",
        );
        refused(
            &[&SLOW.replace("mcp.flights", "xyz")],
            "\"xyz\"",
            "there is no link `xyz`; the links are client, llm, mcp.flights",
        );
        refused(&[&SLOW.replace("\"10s\"", "\"0s\"")], "\"0s\"", "a fault that lasts no time does nothing");
        refused(
            &[&SLOW.replace("\"10s\"", "\"25001ms\"")],
            "\"25001ms\"",
            "the fault is on until 40.001s, but the run ends at 40s",
        );
        refused(&[&SLOW.replace("15s", "1h")], "\"1h\"", "the fault is on until 3610s, but the run ends at 40s");
        refused(
            &[SLOW, &SLOW.replace("15s", "24s")],
            "\"24s\"",
            "the fault overlaps `mcp.flights latency`, which is the same kind of fault on the same link",
        );
        refused(
            &[SLOW, &SLOW.replace("15s", "25s")],
            "\"mcp.flights\"",
            "there are two faults named `mcp.flights latency`; names must differ, and the default is \"<link> <kind>\"",
        );
        refused(&[&format!("{SLOW}; share = 0.0")], "0.0", "the share is 0, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; share = nan")], "nan", "the share is NaN, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; share = 1.5")], "1.5", "the share is 1.5, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; lease = \"1ms\"")], "\"1ms\"", "the lease is 1ms, but must be at least 100ms");
        refused(
            &[&format!("{DOWN}; share = 0.5")],
            "\"down\"",
            "`down` acts on the whole link: leave `share` and `direction` out",
        );
        refused(
            &[&SLOW.replace("\"1s\"", "\"1us\"")],
            "{ latency = { delay = \"1us\" } }",
            "`delay` is 1us, but fault proxies count in whole milliseconds",
        );
    }

    #[test]
    fn faults_of_requests_are_planned_with_their_choice() {
        let broken =
            r#"link = "mcp.flights"; at = "15s"; for = "10s"; fault = { mcp = { http_error = { status = 503 } } }"#;
        let chosen = format!("{broken}; share = 0.5; tool = \"search_flights\"; first = 10");
        let other = format!("{broken}; name = \"listing\"; method = \"tools/list\"");
        let timeline = plan(&[&chosen, &other]).1.unwrap();
        let [fault, other] = timeline.faults() else { panic!("{timeline}") };
        assert_eq!(fault.name, "mcp.flights http_error");
        assert_eq!(fault.description(), "http_error 503, 50 % of requests, tool search_flights, the first 10");
        assert_eq!(other.description(), "http_error 503, every request, method tools/list");
        refused(
            &[broken, &format!("{broken}; name = \"again\"")],
            "\"15s\"",
            "the fault overlaps `mcp.flights http_error`, which is the same kind of fault on the same link",
        );
    }

    #[test]
    fn what_only_looks_alike_is_allowed() {
        let next = SLOW.replace("15s", "25s") + "; name = \"again\"";
        let other_way = format!("{SLOW}; direction = \"upstream\"; name = \"requests\"; share = 0.25");
        let timeline = plan(&[SLOW, &next, &other_way]).1.unwrap();
        assert_eq!(timeline.faults().len(), 3);
        assert_eq!(timeline.faults()[1].description(), "latency 1s upstream, 25 % of connections");
        assert!(plan(&[]).1.unwrap().faults().is_empty());
        assert_eq!(plan(&[&SLOW.replace("15s", "30s")]).1.unwrap().faults()[0].off, Duration::from_secs(40));
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let (_, timeline) = plan(&[&SLOW.replace("10s", "0s"), &DOWN.replace("llm", "lm"), SLOW]);
        assert_eq!(timeline.unwrap_err().len(), 2);
    }
}
