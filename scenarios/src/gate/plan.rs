//! The plan of a gate: load, cycles and rules, decided before anything is started, with what it can find and how long it takes.
use super::Sides;
use crate::{
    cli,
    exit::{Failure, OrExit as _},
    plan::Plan,
    scenario::{Overrides, Scenario},
};
use anyhow::anyhow;
use jiff::civil::Date;
use loadtest::{
    WarmUp,
    arrivals::{Arrivals, Constant, Poisson, Rates},
    half::Half,
    labels::Labels,
};
use reports::{
    number,
    record::{GateRules, Variant},
    regression::{
        metric::{Quantity, Test},
        percentile::Percentile,
        power,
        read::settings,
        settings::Settings,
    },
    summary::Scope,
    units::{format_duration, format_rate},
};
use std::time::Duration;

/// Shortest warm-up of a cycle. Source: measurement.md B3.
const WARM_UP: Duration = Duration::from_secs(2);
/// Visits of either variant that warm it up at least. Source: measurement.md B3.
const WARM_UP_VISITS: f64 = 500.0;
/// Users of a variant for each visit that it gets in a second: those of visits of two seconds.
const USERS_PER_RATE: f64 = 2.0;
/// Fewest users of a variant.
const FEWEST_USERS: u32 = 8;
/// What starting and stopping both variants and logging their users in takes about, before it is known.
const AROUND: Duration = Duration::from_secs(4);
/// How long a gate may take unless it is told: less than ten minutes of a job, with its build and its report.
const WITHIN: Duration = Duration::from_secs(9 * 60);
/// Deviation of a latency on the log scale, as far as a plan has to guess it. Source: measurement.md B4.
const LOG_DEVIATION: f64 = 0.5;
/// Deviation of a program from one of its starts to the next, likewise. Source: measurement.md B1, shared machine.
const RESTART_DEVIATION: f64 = 0.01;

/// How a gate is made.
#[derive(Debug, Clone)]
pub(crate) struct GatePlan {
    /// The scenario, as read.
    pub(crate) scenario: Scenario,
    /// The load of each variant in each cycle; the schedule is that of both together.
    pub(crate) load: loadtest::Settings,
    /// Of labels and the order of starting; cycle k has the schedule of this seed plus k.
    pub(crate) seed: u64,
    /// Arrivals per second of both together.
    pub(crate) rate: f64,
    /// Part of each cycle that is not compared.
    pub(crate) warm_up: Duration,
    /// Measured part of each cycle.
    pub(crate) cycle: Duration,
    /// How it decides.
    pub(crate) rules: GateRules,
    /// No cycle is begun that could not lead to a look within this time.
    pub(crate) within: Duration,
    /// The day of the gate.
    pub(crate) day: Date,
}

impl GatePlan {
    /// Plans a gate by its flags.
    ///
    /// # Errors
    /// When the scenario cannot be found or has no one rate, or the gate could not decide anything.
    pub(crate) fn new(flags: &cli::Gate, day: Date) -> Result<Self, Failure> {
        let load = loadtest::Overrides { users: flags.users, mix: flags.mix.clone(), ..Default::default() };
        let overrides =
            Overrides { seed: flags.seed, load, allow_hosts: flags.allow_hosts.clone(), ..Overrides::default() };
        let scenario = Scenario::load(&flags.scenario, &overrides)?;
        let (arrivals, rate) = arrivals(&scenario, flags.rate)?;
        let warm_up =
            flags.warm_up.unwrap_or_else(|| WARM_UP.max(Duration::from_secs_f64(2.0 * WARM_UP_VISITS / rate)));
        let needed = (rate / 2.0 * USERS_PER_RATE).ceil() as u32;
        let users = flags.users.unwrap_or_else(|| needed.max(FEWEST_USERS).min(scenario.load.users));
        let load = loadtest::Settings {
            duration: warm_up + flags.cycle_duration,
            warm_up: WarmUp::Fixed(warm_up),
            users,
            arrivals,
            ..scenario.load.clone()
        };
        let mut steps: Vec<String> = load.mix.steps().into_iter().map(|step| step.name).collect();
        steps.sort();
        steps.dedup();
        let rules = GateRules {
            alpha: flags.alpha,
            fixed_cycles: flags.cycles,
            timeout_ns: reports::units::nanos(load.longest_timeout()),
            margin: flags.margin,
            steps,
        };
        settings(&rules).check().or_usage("see --cycles, --margin and --alpha")?;
        let plan = Self {
            seed: scenario.seed,
            scenario,
            load,
            rate,
            warm_up,
            cycle: flags.cycle_duration,
            rules,
            within: flags.within.unwrap_or(WITHIN),
            day,
        };
        // Whatever is wrong with the load shows before anything is built or started.
        plan.of_variant(0, Variant::Baseline, None, crate::scenario::Stand::default())?;
        Ok(plan)
    }

    /// What one variant meets in a cycle, counted from 0: a scenario of its own, and its half of the load.
    ///
    /// # Errors
    /// When the load cannot be carried out.
    pub(crate) fn of_variant(
        &self,
        cycle_index: usize,
        variant: Variant,
        url: Option<&str>,
        stand: crate::scenario::Stand,
    ) -> Result<(Scenario, Plan), Failure> {
        let index = cycle_index as u64;
        let scenario = self.scenario.in_cycle(self.load.clone(), self.seed.wrapping_add(index), url, stand);
        let plan = Plan::new(&scenario, self.day)?;
        let half = Half { labels: Labels::new(self.seed, index), variant };
        Ok((scenario, plan.half(half)))
    }

    /// How it decides, as the statistics want it.
    #[must_use]
    pub(crate) fn settings(&self) -> Settings {
        settings(&self.rules)
    }

    /// How long a cycle takes, about.
    #[must_use]
    pub(crate) fn cycle_takes(&self) -> Duration {
        self.load.duration + AROUND
    }

    /// What is done, for people, in a few lines.
    #[must_use]
    pub(crate) fn head(&self, sides: Option<&Sides>) -> String {
        let (settings, scenario) = (self.settings(), &self.scenario);
        let mut lines = vec![format!("gate     {}: {}", scenario.name, scenario.title)];
        if let Some(sides) = sides {
            for (name, side) in [("baseline", &sides.baseline), ("candidate", &sides.candidate)] {
                let version = Some(side.program.version.as_str()).filter(|version| !version.is_empty());
                let version = version.map_or_else(String::new, |version| format!(" ({version})"));
                lines.push(format!("{name:<9}{}{version}", side.program.name));
            }
        }
        lines.push(format!(
            "load     {} of both together, each visit to either by a balanced coin; {} users each, mix {}, seed {}",
            format_rate(self.rate),
            self.load.users,
            self.load.mix,
            self.seed
        ));
        let looks: Vec<String> = settings.plan.looks().iter().map(usize::to_string).collect();
        lines.push(format!(
            "cycles   {} measured after {} of warm-up; looks after {} of them, chance of error {} at each",
            format_duration(self.cycle),
            format_duration(self.warm_up),
            looks.join(", "),
            number::exact_percent(settings.plan.alpha_per_look(settings.alpha)),
        ));
        let after = |cycles: usize| rounded(self.cycle_takes() * u32::try_from(cycles).unwrap_or(u32::MAX));
        let (first, most) = (settings.plan.looks()[0], settings.plan.most_cycles());
        lines.push(format!(
            "time     about {} to the first look, {} to the last; no cycle is begun that cannot lead to a look within {}",
            after(first),
            after(most),
            format_duration(self.within)
        ));
        if !scenario.faults.is_empty() {
            let faults = number::counted(scenario.faults.len() as u64, "fault");
            lines.push(format!("left out {faults} of the scenario: a gate compares the undisturbed service"));
        }
        lines.join("\n")
    }

    /// What can be compared, and how small a slow-down is found, as far as a plan can tell.
    #[must_use]
    pub(crate) fn finds(&self) -> String {
        let settings = self.settings();
        let looks = settings.plan.looks();
        let (first, last) = (looks[0], settings.plan.most_cycles());
        let tests: Vec<(&Test, u64)> =
            settings.tests.iter().map(|test| (test, self.requests(&test.metric.scope))).collect();
        let compared =
            tests.iter().filter(|(test, requests)| *requests >= test.metric.quantity.fewest_requests()).count();
        let alpha = settings.plan.alpha_per_look(settings.alpha) / compared.max(1) as f64;
        let mut text = format!(
            "FINDS    in 80 % of gates, if latencies scatter by {LOG_DEVIATION} (log scale) and starts by {}\n",
            number::exact_percent(RESTART_DEVIATION)
        );
        for (test, requests) in tests {
            let Quantity::Latency(percentile) = test.metric.quantity else { continue };
            let needed = percentile.fewest_requests();
            let what = format!(
                "{:<28} {:>7} requests per variant and cycle",
                test.metric.to_string(),
                number::count(requests)
            );
            let row = if requests < needed {
                let longer = self.cycle.mul_f64(needed as f64 / requests.max(1) as f64 * 1.05);
                let longer = Duration::from_secs(longer.as_secs() + 1);
                let faster = (self.rate * needed as f64 / requests.max(1) as f64 * 1.05).ceil();
                format!(
                    "{what}: not compared, needs {}: --cycle-duration {} or --rate {}",
                    number::count(needed),
                    format_duration(longer),
                    format_rate(faster)
                )
            } else {
                let sigma = sigma(percentile, requests);
                let found = |cycles| power::detectable_slowdown(sigma, cycles, alpha, test.margin);
                let found = |cycles| found(cycles).map_or_else(|| "nothing".to_owned(), number::percent);
                let margin = number::exact_percent(test.margin);
                match first == last {
                    true => format!("{what}: +{} (margin {margin})", found(first)),
                    false => format!(
                        "{what}: +{} after {first}, +{} after {last} (margin {margin})",
                        found(first),
                        found(last)
                    ),
                }
            };
            text.push_str(&format!("  {}\n", row.replace("+nothing", "nothing")));
        }
        text.trim_end().to_owned()
    }

    /// About how many requests of a scope a variant gets in the measured part of a cycle: each visit makes each of its steps once.
    fn requests(&self, scope: &Scope) -> u64 {
        let weights: f64 = self.load.mix.entries().map(|(_, weight)| f64::from(weight)).sum();
        let visits = self.rate / 2.0 * self.cycle.as_secs_f64();
        let steps = self.load.mix.steps();
        let of = |step: &reports::record::StepInfo| {
            let mut entries = self.load.mix.entries();
            let weight = entries.find(|(journey, _)| journey.name() == step.journey).map_or(0, |(_, weight)| weight);
            visits * f64::from(weight) / weights
        };
        steps.iter().filter(|step| scope.holds(step)).map(of).sum::<f64>() as u64
    }
}

/// What a cycle's difference of a percentile scatters by, before it is known. Source: measurement.md B4.
fn sigma(percentile: Percentile, requests: u64) -> f64 {
    let sampling = power::sampling_error(LOG_DEVIATION, percentile, requests);
    (2.0 * RESTART_DEVIATION.powi(2) + 2.0 * sampling.powi(2)).sqrt()
}

/// One rate from clock zero on, spaced as the scenario has it.
fn arrivals(scenario: &Scenario, rate: Option<f64>) -> Result<(Arrivals, f64), Failure> {
    let level = |rates: &Rates| Some(rates.rate).filter(|_| rates.stages.is_empty());
    let own = match &scenario.load.arrivals {
        Arrivals::Constant(Constant(rates)) | Arrivals::Poisson(Poisson(rates)) => level(rates),
        _ => None,
    };
    let Some(rate) = rate.or(own) else {
        return Err(anyhow!("the arrivals of `{}` ({}) have no one rate", scenario.name, scenario.load.arrivals))
            .or_usage("a gate needs one, and an open model: say --rate 100/s");
    };
    let rates = Rates { rate, ..Rates::default() };
    let is_even = matches!(scenario.load.arrivals, Arrivals::Constant(_));
    let arrivals = if is_even { Arrivals::Constant(Constant(rates)) } else { Arrivals::Poisson(Poisson(rates)) };
    Ok((arrivals, rate))
}

fn rounded(duration: Duration) -> String {
    format_duration(Duration::from_secs(duration.as_secs()))
}
