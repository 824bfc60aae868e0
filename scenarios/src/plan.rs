//! The plan: the schedule of the load and the timeline of the faults, cut into phases, decided before the first byte.
//!
//! Pure: the same scenario, seed and day give the same plan, byte for byte.
use crate::{
    digest::hex,
    exit::{Failure, OrExit as _},
    scenario::{Mistake, Mistakes, Scenario},
};
use chaos::Timeline;
use jiff::civil::Date;
use loadtest::{LoadPlan, WarmUp, half::Half, health::file_descriptors};
use reports::{
    gate::{self, Gate, ParseError, Problem},
    record::{FaultWindow, FeederRecord, Phase, cut},
    summary::Window,
    units::{self, format_duration},
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What a scenario will do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When each request is due, and what it is.
    pub load: LoadPlan,
    /// When each fault is on.
    pub timeline: Timeline,
    /// The phases that follow from both.
    pub phases: Vec<Phase>,
    /// The data files that journeys take rows from.
    pub feeders: Vec<FeederRecord>,
}

impl Plan {
    /// Plans a scenario for a day, to which the dates that users ask for are relative.
    ///
    /// # Errors
    /// With every mistake that only shows once all parts are seen together: unknown links, faults outside the run, gates on steps or
    /// phases that cannot exist.
    pub fn new(scenario: &Scenario, day: Date) -> Result<Self, Failure> {
        let load = LoadPlan::new(scenario.load.clone(), scenario.seed, day).or_usage("")?;
        let wrong = |list| Mistakes { path: scenario.path.clone(), source: scenario.text.clone(), list };
        let timeline = timeline(scenario).map_err(wrong).or_usage("")?;
        let phases = phases(scenario, &timeline);
        let mistakes = gate_mistakes(scenario, &load, &phases);
        let feeders = scenario.written.feeders.clone();
        if mistakes.is_empty() {
            Ok(Self { load, timeline, phases, feeders })
        } else {
            Err(wrong(mistakes)).or_usage("")
        }
    }

    /// What one of two compared variants gets of it.
    #[must_use]
    pub fn half(self, half: Half) -> Self {
        Self { load: self.load.only(half), ..self }
    }

    /// The first three lines of every run: what, with which seed, against what, how.
    #[must_use]
    pub fn head(&self, scenario: &Scenario) -> String {
        let target = scenario.target.url.as_ref().map_or("the bundled TripSage stack", |url| url.get_ref());
        let overrides =
            if scenario.overrides.is_empty() { String::new() } else { format!(" ({})", scenario.overrides.join(" ")) };
        let settings = self.load.settings();
        let faults = match self.timeline.faults().len() {
            0 => "no faults".to_owned(),
            1 => "1 fault".to_owned(),
            n => format!("{n} faults"),
        };
        format!(
            "scenario {}: {}\ntarget   {target}, seed {}{overrides}\nplan     {}, {} users, mix {}, {} of which {} warm-up, {faults}, {} gates",
            scenario.name,
            scenario.title,
            scenario.seed,
            self.load.description(),
            settings.users,
            settings.mix,
            format_duration(settings.duration),
            settings.warm_up,
            scenario.gates.len(),
        )
    }

    /// All of it, for people.
    #[must_use]
    pub fn describe(&self, scenario: &Scenario) -> String {
        let mut text = self.head(scenario);
        let mut line = |words: &str| {
            text.push('\n');
            text.push_str(words);
        };
        line("\nPHASES");
        for phase in &self.phases {
            let on = if phase.faults.is_empty() { "–".to_owned() } else { phase.faults.join(", ") };
            let (from, to) = (seconds(phase.from_ns), seconds(phase.to_ns));
            line(&format!(
                "  {:<10} {from:>8} – {to:>8}   arrivals {:>7}   faults {on}",
                phase.label,
                self.arrivals_text(phase)
            ));
        }
        if !self.timeline.faults().is_empty() {
            line("\nFAULTS");
            for fault in self.timeline.faults() {
                let (on, off) = (format_duration(fault.on), format_duration(fault.off));
                let lease = match fault.is_leased() {
                    true => format!("; lease {}", format_duration(fault.lease)),
                    false => String::new(),
                };
                line(&format!("  {on:>8} – {off:>8}   {:<14} {}{lease}", fault.place(), fault.description()));
            }
        }
        if !self.feeders.is_empty() {
            line("\nFEEDERS");
            for feeder in &self.feeders {
                let FeederRecord { name, file, order, rows, digest } = feeder;
                line(&format!("  {name:<14} {file}: {rows} rows, {order}, sha256 {}", &digest[..16]));
            }
        }
        line("\nARRIVALS");
        if let Some(recorded) = &scenario.recorded {
            line(&format!("  {} of {}, {}", recorded.count, recorded.source, recorded.note));
        }
        for second in self.per_second() {
            line(&format!("  {second}"));
        }
        if !scenario.gates.is_empty() {
            line("\nGATES");
            for gate in &scenario.gates {
                line(&format!("  {}", gate.get_ref()));
            }
        }
        let load = self.load.settings();
        line("\nNEEDS");
        let descriptors = file_descriptors(load.users, load.connection.open_at_most(load.users));
        line(&format!("  {descriptors} file descriptors, {} of time at the most", format_duration(self.longest())));
        line(&format!("  {}", load.connection.description(scenario.is_tls())));
        line(&format!("  plan {}", self.digest()));
        text
    }

    /// Arrivals in the plan.
    #[must_use]
    pub fn arrival_count(&self) -> u64 {
        self.load.arrival_count()
    }

    /// SHA-256 over every due time and journey, every fault and every data file: two plans are the same exactly when it is.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for arrival in self.load.schedule().into_iter().flatten() {
            hash.update(arrival.due_ns.to_be_bytes());
            hash.update(arrival.journey_index.to_be_bytes());
        }
        hash.update(self.timeline.to_string().as_bytes());
        for feeder in &self.feeders {
            hash.update(format!("{feeder:?}"));
        }
        hex(&hash.finalize()[..8])
    }

    /// The longest that a run of this plan can take once it is loading.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let settings = self.load.settings();
        settings.duration + settings.longest_timeout()
    }

    fn arrivals_text(&self, phase: &Phase) -> String {
        match self.load.schedule() {
            Some(schedule) => {
                let due = schedule.filter(|arrival| (phase.from_ns..phase.to_ns).contains(&arrival.due_ns));
                due.count().to_string()
            }
            None => "follow".to_owned(),
        }
    }

    /// One line per second (or per hundredth of the run, when it is longer): arrivals, as a number and a bar.
    fn per_second(&self) -> Vec<String> {
        let Some(schedule) = self.load.schedule() else {
            return vec!["closed model: each user's next journey follows from its own pacing".to_owned()];
        };
        let duration = self.load.settings().duration;
        let width = Duration::from_secs((duration.as_secs() / 60).max(1));
        let width_ns = u64::try_from(width.as_nanos()).expect("a run is no longer than centuries");
        let mut counts =
            vec![0u64; usize::try_from(duration.as_nanos().div_ceil(width.as_nanos())).expect("at most 120 lines")];
        for arrival in schedule {
            counts[usize::try_from(arrival.due_ns / width_ns).expect("within the run")] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let bar = |count: u64| "▇".repeat(usize::try_from(count * 40 / most).unwrap_or(40));
        let row = |(index, count): (usize, &u64)| {
            let at = format_duration(width * u32::try_from(index).expect("at most 120 lines"));
            format!("{at:>6} {count:>6} {}", bar(*count)).trim_end().to_owned()
        };
        counts.iter().enumerate().map(row).collect()
    }
}

fn timeline(scenario: &Scenario) -> Result<Timeline, Vec<Mistake>> {
    // Which links a running fault proxy has shows when it is reached; until then every name may be one.
    let named = scenario.faults.iter().flat_map(|fault| fault.named_links());
    let named: Vec<&str> = named.map(|link| link.get_ref().as_str()).collect();
    let links = scenario.links().map_or(named, <[&str]>::to_vec);
    let timeline = Timeline::with_parts(&scenario.faults, &links, scenario.parts(), scenario.load.duration);
    timeline.map_err(|errors| errors.into_iter().map(|error| Mistake::at(error.span.clone(), &error, None)).collect())
}

fn phases(scenario: &Scenario, timeline: &Timeline) -> Vec<Phase> {
    let window = |on, off| FaultWindow { from_ns: units::nanos(on), to_ns: units::nanos(off) };
    // What is injected into one variant of a regression gate is on all the time, and cuts nothing.
    let is_injected = !scenario.stand.faults.is_empty();
    let cutting = timeline.faults().iter().filter(|_| !is_injected);
    let faults: Vec<_> = cutting.map(|fault| (fault.name.clone(), window(fault.on, fault.off))).collect();
    cut(units::nanos(scenario.load.warm_up.planned()), units::nanos(scenario.load.duration), &faults)
}

fn gate_mistakes(scenario: &Scenario, load: &LoadPlan, phases: &[Phase]) -> Vec<Mistake> {
    let wrong = |gate: &toml::Spanned<String>| {
        let parsed = gate::parse(gate.get_ref()).ok()?;
        let checked = gate::check_names(&parsed, load.steps(), phases);
        let error = checked.and_then(|()| abort_in_search(&parsed, scenario.load.warm_up, phases)).err()?;
        Some(Mistake::in_gate(gate, &error))
    };
    scenario.gates.iter().filter_map(wrong).collect()
}

/// While the run goes on, a warm-up that is found in its end cannot be left out.
fn abort_in_search(gate: &Gate, warm_up: WarmUp, phases: &[Phase]) -> Result<(), ParseError> {
    let is_touched = phases.first().is_some_and(|first| gate.window.value.holds(first));
    let has_place = matches!(gate.window.value, Window::Span { .. }) || !is_touched;
    if gate.abort.is_none() || warm_up != WarmUp::Auto || has_place {
        return Ok(());
    }
    let problem = Problem::Misplaced { word: "abort".to_owned(), metric: "warm_up = \"auto\"".to_owned() };
    let hint = "the warm-up is known only in the end: give it a length, or the gate a window such as `window=30s..60s`";
    Err(ParseError { range: 0..gate.text.len(), problem, hint: Some(hint.to_owned()) })
}

fn seconds(ns: u64) -> String {
    format_duration(Duration::from_nanos(ns))
}
