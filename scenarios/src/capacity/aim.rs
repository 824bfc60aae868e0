//! What a capacity is searched for: the service levels, the rates, the faults, and what a planner wants to know beside.
use super::{Flags, StandingFault, growth};
use crate::{
    exit::{Failure, OrExit as _},
    plan::Plan,
    record,
    scenario::{Overrides, Scenario},
};
use anyhow::{Context as _, anyhow};
use jiff::civil::Date;
use loadtest::LoadPlan;
use reports::{
    calibration,
    capacity::{DayPeak, Meaning, Policy, Price, Promise, Search, Settings},
    gate, number,
    summary::Scope,
    units::{format_duration, format_rate},
};
use std::{ops::Range, time::Duration};
use toml::Spanned;

/// Share of the highest rate that the generator keeps against an empty server, up to which it is trusted: half, because of D3, and a
/// little less, because independent arrivals have busy seconds.
const TRUSTED_SHARE: f64 = 0.4;
/// The highest rate that is tried where the generator was not calibrated; the checks of each trial say whether it kept up.
const HIGHEST: f64 = 10_000.0;
/// The shortest trial: fewer windows than five say nothing.
const SHORTEST: Duration = Duration::from_secs(5);
/// Trials of one search at the most, confirmations included.
const MOST_TRIALS: u32 = 40;
/// How many more requests the lowest rate brings than are just enough, because arrivals scatter.
const SPARE_REQUESTS: f64 = 1.3;

/// What is searched for, and how.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    /// The scenario without its faults, gates and checks of data; each trial is this at one rate.
    pub(crate) scenario: Scenario,
    /// What every rate has to keep; at least one.
    pub(crate) promises: Vec<Promise>,
    /// Gates on counts: a rate at which one does not hold is not kept.
    pub(crate) bounds: Vec<String>,
    /// Gates by which no rate is judged, and why.
    pub(crate) left_apart: Vec<String>,
    /// What flags changed of the scenario and of the demand, as they were written.
    pub(crate) changes: Vec<String>,
    /// The search.
    pub(crate) settings: Settings,
    /// The part before each trial.
    pub(crate) settle: Duration,
    /// Faults under which to search once more.
    pub(crate) faults: Vec<StandingFault>,
    /// The demand, in arrivals per second.
    pub(crate) expected_per_second: f64,
    /// How replicas are bought.
    pub(crate) policy: Policy,
    /// What one costs.
    pub(crate) price: Option<Price>,
    /// Peaks of the past.
    pub(crate) history: Vec<DayPeak>,
    /// The promise because of which the lowest rate is not lower, where the demand is below it.
    held_up_by: Option<String>,
    /// Whether to look beyond the limit.
    pub(crate) looks_beyond: bool,
    is_user_count_given: bool,
}

impl Aim {
    /// Reads scenario and flags. Nothing is started.
    ///
    /// # Errors
    /// When the scenario cannot be run, promises nothing, or no trial could show anything.
    pub(crate) fn new(flags: &Flags, day: Date) -> Result<Self, Failure> {
        ensure_whole_seconds("trial-duration", flags.trial_duration, SHORTEST)?;
        ensure_whole_seconds("settle", flags.settle, Duration::from_secs(1))?;
        for level in &flags.slo {
            gate::parse(level)
                .with_context(|| format!("in --slo `{level}`"))
                .or_usage("write METRIC OP VALUE [for NAME], such as 'p95 < 500ms for flights.search'")?;
        }
        let scenario = Scenario::load(&flags.scenario, &overrides(flags))?;
        let plan = Plan::new(&scenario, day)?;
        let faults: Result<Vec<_>, _> = flags.under.iter().map(|text| StandingFault::find(text, &scenario)).collect();
        let faults = faults?;
        if !faults.is_empty() && scenario.target.url.is_some() && scenario.links.api.is_none() {
            let error = anyhow!("--under: a target that runs already has no links of the harness's own");
            return Err(error).or_usage("name the fault proxy that it uses: [links] api = \"http://127.0.0.1:8474\"");
        }
        // The levels of flags come after those of the file, and in place of them.
        let skipped = if flags.slo.is_empty() { 0 } else { scenario.gates.len() - flags.slo.len() };
        let (promises, bounds, left_apart) = sorted(&scenario.gates[skipped..]);
        if promises.is_empty() {
            let why = if left_apart.is_empty() { String::new() } else { format!(": {}", left_apart.join(", ")) };
            return Err(anyhow!("{} has no gate that a rate could be judged by{why}", scenario.path))
                .or_usage("give a service level, such as --slo 'p95 < 500ms for flights.search'");
        }
        let average = || plan.arrival_count() as f64 / plan.load.settings().duration.as_secs_f64();
        let own = || plan.load.settings().arrivals.single_rate().unwrap_or_else(average);
        let expected_per_second = flags.expected.unwrap_or_else(own);
        let settings = settings(flags, &scenario, &plan, &promises, expected_per_second)?;
        let (needed, needy) = lowest(&plan.load, &promises, flags.trial_duration);
        let held_up_by = (expected_per_second < needed).then(|| needy.to_owned());
        Ok(Self {
            scenario: bare(&scenario),
            promises,
            bounds,
            left_apart,
            settings,
            settle: flags.settle,
            faults,
            expected_per_second,
            policy: Policy { use_share: flags.plan_with, spares: flags.spare, growth: 0.0 },
            price: flags.price.clone(),
            history: flags.growth.as_deref().map_or(Ok(Vec::new()), growth::read).or_usage("")?,
            changes: changes(flags, &scenario),
            held_up_by,
            looks_beyond: !flags.no_overload,
            is_user_count_given: flags.users.is_some(),
        })
    }

    /// The gates of a trial, each on the seconds that count: promises, bounds, and what goes with promises.
    #[must_use]
    pub(crate) fn gates(&self, span: &Range<u64>) -> Vec<String> {
        let promises = self.promises.iter().map(|promise| promise.text.as_str());
        let since_sent = self.promises.iter().filter_map(|promise| promise.since_sent.as_deref());
        let all = promises.chain(self.bounds.iter().map(String::as_str)).chain(since_sent);
        all.map(|gate| format!("{gate} window={}s..{}s", span.start, span.end)).collect()
    }

    /// Users of a trial at a rate: as many as the scenario has, and more in proportion where more is asked than it expects.
    #[must_use]
    pub(crate) fn users(&self, rate_per_second: f64, times: u32) -> u32 {
        let own = self.scenario.load.users;
        if self.is_user_count_given {
            return own;
        }
        let wanted = f64::from(own) * (rate_per_second / self.expected_per_second).max(1.0) * f64::from(times);
        // Saturates at the most that a scenario may ask for.
        wanted.ceil().min(f64::from(loadtest::settings::USERS_MAX)) as u32
    }

    /// What will be tried, for people.
    #[must_use]
    pub(crate) fn head(&self) -> String {
        let Settings { start_per_second, lowest_per_second, highest_per_second, trial, most_load, .. } = self.settings;
        let target =
            self.scenario.target.url.as_ref().map_or("the bundled TripSage stack", |url| url.get_ref().as_str());
        let mut lines = vec![
            format!("capacity {}: {}", self.scenario.name, self.scenario.title),
            format!("target   {target}, seed {}, mix {}", self.scenario.seed, self.scenario.load.mix),
            format!(
                "search   from {} within {} to {}, trials of {} after {} to settle, at most {} under load; expected {}",
                number::rate(start_per_second),
                number::rate(lowest_per_second),
                number::rate(highest_per_second),
                format_duration(trial),
                format_duration(self.settle),
                format_duration(most_load),
                number::rate(self.expected_per_second),
            ),
        ];
        if let Some(promise) = &self.held_up_by {
            lines.push(format!(
                "below    {} a trial of {} is too short to show `{promise}`: --trial-duration or --slo let the search begin lower",
                number::rate(lowest_per_second),
                format_duration(trial)
            ));
        }
        lines.extend(self.promises.iter().map(|promise| format!("keep     {}", promise.text)));
        lines.extend(self.bounds.iter().map(|bound| format!("keep     {bound}")));
        lines.extend(self.left_apart.iter().map(|gate| format!("not      {gate}")));
        lines.extend(self.faults.iter().map(|fault| format!("under    {}", fault.description)));
        lines.join("\n")
    }
}

fn overrides(flags: &Flags) -> Overrides {
    Overrides {
        seed: flags.seed,
        load: loadtest::Overrides {
            users: flags.users,
            mix: flags.mix.clone(),
            no_oracle: true,
            ..loadtest::Overrides::default()
        },
        target: flags.target.clone(),
        allow_hosts: flags.allow_hosts.clone(),
        thresholds: flags.slo.clone(),
        ..Overrides::default()
    }
}

/// What flags changed, so that the study is not one of the scenario alone. Data are never read back here, so that is no change.
fn changes(flags: &Flags, scenario: &Scenario) -> Vec<String> {
    let of_scenario =
        scenario.overrides.iter().filter(|text| *text != "--no-oracle" && !text.starts_with("--threshold"));
    let levels = flags.slo.iter().map(|level| format!("--slo '{level}'"));
    let demand = flags.expected.map(|rate| format!("--expected {}", format_rate(rate)));
    of_scenario.cloned().chain(levels).chain(demand).collect()
}

fn ensure_whole_seconds(flag: &str, length: Duration, least: Duration) -> Result<(), Failure> {
    if length.subsec_nanos() == 0 && length >= least {
        return Ok(());
    }
    let (given, least) = (format_duration(length), format_duration(least));
    Err(anyhow!("--{flag} {given} is not a number of whole seconds from {least} on"))
        .or_usage("violations are counted by the second")
}

/// Gates by what they mean to a search.
fn sorted(gates: &[Spanned<String>]) -> (Vec<Promise>, Vec<String>, Vec<String>) {
    let (mut promises, mut bounds, mut left_apart) = (Vec::new(), Vec::new(), Vec::new());
    // Every gate was read before, with the scenario.
    for gate in gates.iter().filter_map(|gate| gate::parse(gate.get_ref()).ok()) {
        match Meaning::of(&gate) {
            Meaning::Promise(promise) => promises.push(promise),
            Meaning::Bound(bound) => bounds.push(bound),
            Meaning::Apart(why) => left_apart.push(format!("{gate} ({why})")),
        }
    }
    (promises, bounds, left_apart)
}

fn bare(scenario: &Scenario) -> Scenario {
    scenario.with(|file| {
        file.gates.clear();
        file.faults.clear();
    })
}

fn settings(
    flags: &Flags,
    scenario: &Scenario,
    plan: &Plan,
    promises: &[Promise],
    expected: f64,
) -> Result<Settings, Failure> {
    let (needed, needy) = lowest(&plan.load, promises, flags.trial_duration);
    if let Some(given) = flags.min_rate.filter(|given| *given < needed) {
        let trial = format_duration(flags.trial_duration);
        let problem =
            format!("--min-rate {}: a trial of {trial} has too few requests then for `{needy}`", number::rate(given));
        return Err(anyhow!(problem))
            .or_usage(&format!("ask for at least {}, or for longer trials", number::rate(needed)));
    }
    let lowest_per_second = flags.min_rate.unwrap_or(needed * SPARE_REQUESTS);
    let highest_per_second = flags.max_rate.unwrap_or_else(|| trusted(scenario, plan));
    let settings = Settings {
        start_per_second: expected.clamp(lowest_per_second, highest_per_second.max(lowest_per_second)),
        lowest_per_second,
        highest_per_second,
        allowed_share: promises.first().map_or(0.0, |promise| promise.allowed_share),
        trial: flags.trial_duration,
        most_trials: MOST_TRIALS,
        most_load: flags.budget,
    };
    Search::new(settings).or_usage(&format!(
        "trials of {} can show `{needy}` from {} on; --min-rate, --max-rate, --trial-duration and --budget change the search",
        format_duration(flags.trial_duration),
        number::rate(needed)
    ))?;
    Ok(settings)
}

/// The lowest rate at which a trial has the requests that every promise needs, in arrivals per second, and the promise that needs it.
fn lowest<'a>(load: &LoadPlan, promises: &'a [Promise], trial: Duration) -> (f64, &'a str) {
    let needed = |promise: &'a Promise| {
        let per_second = promise.fewest_requests() as f64 / trial.as_secs_f64() / share_of_arrivals(load, promise);
        (per_second, promise.text.as_str())
    };
    promises.iter().map(needed).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((1.0, ""))
}

/// The share of the arrivals whose journey has what is promised for; each brings one such request at least.
fn share_of_arrivals(load: &LoadPlan, promise: &Promise) -> f64 {
    let scope = promise.name.as_ref().and_then(|name| Scope::named(name, load.steps())).unwrap_or(Scope::All);
    let mix = &load.settings().mix;
    let total: u32 = mix.weights().iter().sum();
    let is_meant = |journey: &str| load.steps().iter().any(|step| step.journey == journey && scope.holds(step));
    let meant: u32 = mix.entries().filter(|(journey, _)| is_meant(journey.name())).map(|(_, weight)| weight).sum();
    f64::from(meant) / f64::from(total.max(1))
}

/// The highest rate that the generator can be trusted with, in arrivals per second.
fn trusted(scenario: &Scenario, plan: &Plan) -> f64 {
    let head = record::head(scenario, plan);
    let requests = plan.load.most_requests_within(plan.load.settings().duration) as f64;
    let per_arrival = (requests / plan.arrival_count().max(1) as f64).max(1.0);
    let highest = calibration::standing(&head).highest_rate().filter(|rate| *rate > 0.0);
    highest.map_or(HIGHEST, |rate| TRUSTED_SHARE * rate / per_arrival)
}
