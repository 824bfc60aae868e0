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
        comparison::change,
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
        let mut lines = vec![format!("gate      {}: {}", scenario.name, scenario.title)];
        if let Some(sides) = sides {
            for (name, side) in [("baseline", &sides.baseline), ("candidate", &sides.candidate)] {
                let version = Some(side.program.version.as_str()).filter(|version| !version.is_empty());
                let version = version.map_or_else(String::new, |version| format!(" ({version})"));
                lines.push(format!("{name:<9} {}{version}", side.program.name));
            }
        }
        lines.push(format!(
            "load      {} of both together, each visit to either by a balanced coin; {} users each, mix {}, seed {}",
            format_rate(self.rate),
            self.load.users,
            self.load.mix,
            self.seed
        ));
        let looks: Vec<String> = settings.plan.looks().iter().map(usize::to_string).collect();
        lines.push(format!(
            "cycles    {} measured after {} of warm-up; looks after {} of them, chance of error {} at each",
            format_duration(self.cycle),
            format_duration(self.warm_up),
            looks.join(", "),
            number::exact_percent(settings.plan.alpha_per_look(settings.alpha)),
        ));
        let after = |cycles: usize| rounded(self.cycle_takes() * u32::try_from(cycles).unwrap_or(u32::MAX));
        let (first, most) = (settings.plan.looks()[0], settings.plan.most_cycles());
        lines.push(format!(
            "time      about {} to the first look, {} to the last; no cycle is begun that cannot lead to a look within {}",
            after(first),
            after(most),
            format_duration(self.within)
        ));
        if !scenario.faults.is_empty() {
            let faults = number::counted(scenario.faults.len() as u64, "fault");
            lines.push(format!("left out  {faults} of the scenario: a gate compares the undisturbed service"));
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
                let found = |cycles| {
                    found(cycles).map_or_else(|| "nothing".to_owned(), |effect| change(test.metric.quantity, effect))
                };
                let margin = number::exact_percent(test.margin);
                match first == last {
                    true => format!("{what}: {} (margin {margin})", found(first)),
                    false => format!(
                        "{what}: {} after {first}, {} after {last} (margin {margin})",
                        found(first),
                        found(last)
                    ),
                }
            };
            text.push_str(&format!("  {row}\n"));
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

/// A time to wait for, in minutes and seconds.
fn rounded(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::{Cli, Command},
        gate::Injection,
        scenario::Stand,
    };
    use clap::Parser as _;

    fn plan(arguments: &[&str]) -> Result<GatePlan, Failure> {
        let Command::Gate(flags) = Cli::parse_from(["harness", "gate"].iter().chain(arguments)).command else {
            panic!("it is a gate")
        };
        GatePlan::new(&flags, "2030-01-01".parse().unwrap())
    }

    #[test]
    fn a_plan_has_one_rate_no_ramp_and_a_warm_up_of_five_hundred_visits_each() {
        let plan = plan(&["baseline", "--rate", "200/s"]).unwrap();
        assert_eq!((plan.rate, plan.warm_up, plan.cycle), (200.0, Duration::from_secs(5), Duration::from_secs(12)));
        assert_eq!(plan.load.duration, Duration::from_secs(17));
        assert_eq!(plan.load.arrivals.level_from(plan.load.duration), Some(Duration::ZERO));
        assert_eq!(plan.rules.steps, ["chat.message", "flights.search", "trips.create", "trips.read"]);
        // 100 visits of each variant per second for 12 s, of which half are searches: 600 requests.
        assert_eq!(plan.requests(&Scope::Step("flights.search".to_owned())), 600);
        assert!(plan.finds().contains("600 requests per variant and cycle: "), "{}", plan.finds());
        assert!(plan.head(None).contains("chance of error 1 % at each"), "{}", plan.head(None));
    }

    #[test]
    fn both_variants_get_the_halves_of_one_schedule_and_each_cycle_another() {
        let plan = plan(&["baseline", "--rate", "50/s", "--warmup", "1s", "--cycle-duration", "4s"]).unwrap();
        let due = |cycle, variant| -> Vec<u64> {
            let (_, plan) = plan.of_variant(cycle, variant, None, Stand::default()).unwrap();
            plan.load.schedule().unwrap().map(|arrival| arrival.index).collect()
        };
        let (baseline, candidate) = (due(0, Variant::Baseline), due(0, Variant::Candidate));
        let mut both = [baseline.clone(), candidate].concat();
        both.sort_unstable();
        assert!(both.len() > 150 && both.iter().copied().eq(0..both.len() as u64), "{both:?}");
        assert_ne!(baseline, due(1, Variant::Baseline));
    }

    #[test]
    fn faults_are_left_out_and_what_is_injected_is_on_all_the_time() {
        let plan = plan(&["quickstart", "--rate", "50/s"]).unwrap();
        assert!(plan.head(None).contains("left out  1 fault of the scenario"), "{}", plan.head(None));
        let stand = Injection::Tail.stand(plan.load.duration).unwrap();
        let (_, of_candidate) = plan.of_variant(0, Variant::Candidate, None, stand).unwrap();
        let labels: Vec<&str> = of_candidate.phases.iter().map(|phase| phase.label.as_str()).collect();
        assert_eq!((of_candidate.timeline.faults().len(), labels), (1, vec!["warm-up", "steady"]));
        let (_, of_baseline) = plan.of_variant(0, Variant::Baseline, None, Stand::default()).unwrap();
        assert!(of_baseline.timeline.faults().is_empty());
    }

    #[test]
    fn what_could_decide_nothing_is_refused_with_a_way_out() {
        let refused = |arguments: &[&str]| {
            let failure = plan(arguments).unwrap_err();
            format!("{:#}; {}", failure.error, failure.hint.unwrap_or_default())
        };
        let text = refused(&["baseline", "--cycles", "5"]);
        assert!(text.starts_with("5 cycles can prove nothing about 13 metrics; make at least 9"), "{text}");
        assert!(refused(&["baseline", "--alpha", "0.7"]).contains("alpha is 0.7"));
        assert!(refused(&["no-such-scenario"]).contains("there is no scenario"));
    }
}
