//! The timeline: when each fault is on, decided before the first byte. Pure: no clock, no file, no unseeded number.
use std::{fmt, time::Duration};

use reports::units::format_duration;
use toml::Spanned;

use crate::{
    aim,
    fault::{Fault, Means, OnPart},
    forward::Selector,
    injectors,
    link::Reach,
    place,
    problem::{Error, Problem, SHORTEST_LEASE},
    settings::{Connections, Direction, FaultSettings},
};

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
    /// The link it acts on; empty when it acts on a part.
    pub link: String,
    /// The part of the target it acts on; `None` when it acts on a link.
    pub part: Option<String>,
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
    /// Which connections it takes hold of, by their order; `means` says so too.
    pub connections: Connections,
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

impl Timeline {
    /// Checks the faults of a target that has links and no parts of the harness's own; see [`Timeline::with_parts`].
    ///
    /// # Errors
    /// Every mistake found, in the order of the file.
    pub fn new<L: AsRef<str>>(settings: &[FaultSettings], links: &[L], run: Duration) -> Result<Self, Vec<Error>> {
        Self::with_parts(settings, links, &[], run)
    }

    /// Checks the faults against the links and parts there are and the length of the run, and orders them.
    ///
    /// # Errors
    /// Every mistake found, in the order of the file.
    pub fn with_parts<L: AsRef<str>>(
        settings: &[FaultSettings],
        links: &[L],
        parts: &[&str],
        run: Duration,
    ) -> Result<Self, Vec<Error>> {
        let mut faults: Vec<TimedFault> = Vec::new();
        let mut errors = Vec::new();
        for setting in settings {
            let places = place::named(setting).unwrap_or_else(|error| {
                errors.push(error);
                Vec::new()
            });
            for place in places {
                let checked = checked(setting, place, (links, parts), run);
                match checked.and_then(|fault| unlike(fault, setting, place, &faults)) {
                    Ok(fault) => faults.push(fault),
                    // What is wrong with the settings is wrong on every link, and said once.
                    Err(error) if errors.last() == Some(&error) => {}
                    Err(error) => errors.push(error),
                }
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

    /// The most connections that the crowds of clients among the faults have at a time, together.
    #[must_use]
    pub fn crowd_connections(&self) -> u32 {
        let clients = self.faults.iter().filter_map(|fault| fault.fault.on_clients());
        clients.fold(0, |sum, clients| sum.saturating_add(clients.connections()))
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
            Means::Part | Means::Clients | Means::Database => self.fault.to_string(),
            Means::Disable => format!("{}: connections refused and cut", self.fault),
            Means::Toxic { .. } => format!("{}{}", self.fault, self.where_it_acts()),
            Means::Rule { .. } if self.share < 1.0 => {
                format!("{}, {} % of requests{}", self.fault, self.share * 100.0, self.selector)
            }
            Means::Rule { .. } => format!("{}, every request{}", self.fault, self.selector),
        }
    }

    fn where_it_acts(&self) -> String {
        let share = match (self.share < 1.0, self.connections == Connections::default()) {
            (false, true) => "every connection".to_owned(),
            (true, true) => format!("{} % of connections", self.share * 100.0),
            (false, false) => self.connections.to_string(),
            (true, false) => format!("{} % of {}", self.share * 100.0, self.connections),
        };
        match self.fault.reach() {
            Reach::Door => ": new connections refused, open ones live on".to_owned(),
            Reach::BothStreams => format!(", {share}"),
            Reach::Stream => format!(" {}, {share}", self.direction),
        }
    }

    /// Whether a fault proxy holds it for the time of its lease. What is done to a part, and clients, end with the harness.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        matches!(self.means, Means::Disable | Means::Toxic { .. } | Means::Rule { .. })
    }

    /// What it acts on: the name of its link or part.
    #[must_use]
    pub fn place(&self) -> &str {
        self.part.as_deref().unwrap_or(&self.link)
    }

    /// What it does to its part.
    pub(crate) fn on_part(&self) -> Result<&dyn OnPart, injectors::Error> {
        let missing = "it acts on links only";
        self.fault.on_part().ok_or_else(|| injectors::Error::Missing { fault: self.name.clone(), missing })
    }

    fn clashes_with(&self, other: &TimedFault) -> bool {
        let overlaps = self.on < other.off && other.on < self.off;
        // What is done to one process at one time would undo each other.
        let is_one_part = self.part.is_some() && self.part == other.part;
        let is_same = self.place() == other.place() && self.fault.kind() == other.fault.kind();
        overlaps && (is_one_part || is_same && self.direction == other.direction && self.selector == other.selector)
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
        fault.place().to_owned(),
        fault.description(),
        format_duration(fault.lease),
    ]
}

/// The fault in one place, on its own: its place, its time, its settings.
fn checked<L: AsRef<str>>(
    setting: &FaultSettings,
    place: &Spanned<String>,
    (links, parts): (&[L], &[&str]),
    run: Duration,
) -> Result<TimedFault, Error> {
    place::check(setting, place, links, parts)?;
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
    let connections = setting.connections;
    let mut means = fault.means().map_err(|error| Error { problem: error.into(), span: setting.fault.span() })?;
    if let Means::Toxic { attributes, .. } = &mut means {
        attributes.extend(connections.attributes());
    }
    aim::check(setting, place, &means)?;
    let place = place.get_ref().clone();
    let name = match &setting.name {
        Some(name) if setting.links.is_empty() => name.get_ref().clone(),
        Some(name) => format!("{} {place}", name.get_ref()),
        None => format!("{place} {}", fault.kind()),
    };
    let (link, part) =
        if matches!(means, Means::Part | Means::Database) { (String::new(), Some(place)) } else { (place, None) };
    let selector = setting.requests.selector();
    let (fault, direction) = (fault.clone(), setting.direction);
    Ok(TimedFault { name, link, part, on, off, fault, means, direction, share, selector, connections, lease })
}

/// The fault beside those before it in the file.
fn unlike(
    fault: TimedFault,
    setting: &FaultSettings,
    place: &Spanned<String>,
    others: &[TimedFault],
) -> Result<TimedFault, Error> {
    if let Some(other) = others.iter().find(|other| fault.clashes_with(other)) {
        let other_name = other.name.clone();
        let problem = match fault.part {
            Some(_) => Problem::PartOverlap { other: other_name },
            None => Problem::Overlap { other: other_name },
        };
        return Err(Error { problem, span: setting.at.span() });
    }
    if others.iter().any(|other| fault.name == other.name) {
        let span = setting.name.as_ref().map_or(place.span(), Spanned::span);
        return Err(Error { problem: Problem::SameName { name: fault.name }, span });
    }
    Ok(fault)
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
        let timeline = Timeline::with_parts(&file.faults, &LINKS, &["service"], Duration::from_secs(40));
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
            "there are two faults named `mcp.flights latency`; names must differ, and the default is \"<link or part> <kind>\"",
        );
        refused(&[&format!("{SLOW}; share = 0.0")], "0.0", "the share is 0, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; share = nan")], "nan", "the share is NaN, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; share = 1.5")], "1.5", "the share is 1.5, but must be above 0 and at most 1");
        refused(&[&format!("{SLOW}; lease = \"1ms\"")], "\"1ms\"", "the lease is 1ms, but must be at least 100ms");
        refused(
            &[&format!("{DOWN}; share = 0.5")],
            "\"down\"",
            "`down` acts on the whole link: leave `share`, `direction` and `connections` out",
        );
        refused(
            &[&format!("{DOWN}; connections = {{ first = 2 }}")],
            "\"down\"",
            "`down` acts on the whole link: leave `share`, `direction` and `connections` out",
        );
        refused(
            &[&format!("{}; direction = \"upstream\"", DOWN.replace("down", "refuse"))],
            "\"refuse\"",
            "`refuse` acts on the whole link: leave `share`, `direction` and `connections` out",
        );
        refused(
            &[&format!("{}; direction = \"upstream\"", DOWN.replace("down", "blackhole"))],
            "\"blackhole\"",
            "`blackhole` acts on both directions: leave `direction` out",
        );
        refused(
            &[&SLOW.replace("\"1s\"", "\"1us\"")],
            "{ latency = { delay = \"1us\" } }",
            "`delay` is 1us, but fault proxies count in whole milliseconds",
        );
    }

    #[test]
    fn connections_are_chosen_by_their_order() {
        let some = format!("{SLOW}; connections = {{ skip = 1, every = 3, first = 2 }}");
        let timeline = plan(&[&some]).1.unwrap();
        let fault = &timeline.faults()[0];
        assert_eq!(fault.description(), "latency 1s downstream, connections skip 1, every 3, first 2");
        let Means::Toxic { attributes, .. } = &fault.means else { panic!("a latency is a toxic") };
        let expected = [("latency", 1000), ("jitter", 0), ("skip", 1), ("every", 3), ("count", 2)];
        assert_eq!(*attributes, expected.into_iter().collect());
        let half = format!("{SLOW}; connections = {{ first = 2 }}; share = 0.5");
        let timeline = plan(&[&half]).1.unwrap();
        assert_eq!(timeline.faults()[0].description(), "latency 1s downstream, 50 % of connections first 2");
    }

    #[test]
    fn one_fault_cuts_a_group_of_links_off_together() {
        let cut = DOWN.replace("link = \"llm\"", "links = [\"mcp.flights\", \"llm\"]");
        let timeline = plan(&[&format!("{cut}; name = \"partition\""), &DOWN.replace("5s", "20s")]).1.unwrap();
        let faults: Vec<_> =
            timeline.faults().iter().map(|f| (f.name.as_str(), f.link.as_str(), f.on.as_secs())).collect();
        let expected =
            [("partition mcp.flights", "mcp.flights", 5), ("partition llm", "llm", 5), ("llm down", "llm", 20)];
        assert_eq!(faults, expected);
        assert_eq!(plan(&[&cut]).1.unwrap().faults()[0].name, "mcp.flights down");

        let either =
            "a fault names one `link`, such as \"mcp.flights\", or several `links`, or one `part`, such as \"service\"";
        refused(&[&format!("{cut}; link = \"client\"")], "\"down\"", either);
        refused(&[&DOWN.replace("link = \"llm\"; ", "")], "\"down\"", either);
        refused(&[&cut.replace("\"10s\"", "\"0s\"")], "\"0s\"", "a fault that lasts no time does nothing");
        refused(
            &[&cut.replace("\"llm\"", "\"lln\"")],
            "\"lln\"",
            "there is no link `lln` (did you mean `llm`?); the links are client, llm, mcp.flights",
        );
        refused(
            &[&cut.replace("mcp.flights", "llm")],
            "\"5s\"",
            "the fault overlaps `llm down`, which is the same kind of fault on the same link",
        );
    }

    #[test]
    fn faults_of_requests_are_planned_with_their_choice() {
        let broken =
            r#"link = "mcp.flights"; at = "15s"; for = "10s"; fault = { mcp = { http_error = { status = 503 } } }"#;
        let chosen = format!("{broken}; share = 0.5; requests = {{ tool = \"search_flights\", first = 10 }}");
        let other = format!("{broken}; name = \"listing\"; requests = {{ method = \"tools/list\" }}");
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
