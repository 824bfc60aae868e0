//! The plan of a load: settings, seed and day, from which everything that is sent follows.
use crate::{
    arrivals::{Closed, Law, Model},
    half::{Half, Sieve},
    mix::Handle,
    schedule::{Arrival, Order, Schedule},
    session::Account,
    settings::{Error, Settings},
    warm_up::WarmUp,
};
use jiff::civil::Date;
use reports::{
    record::{self, Meter, ModelKind, StepInfo},
    units,
};
use std::time::Duration;

/// A load that can be carried out. The same settings, seed and day give the same due times, journeys and payloads, byte for byte.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    settings: Settings,
    seed: u64,
    day: Date,
    steps: Vec<StepInfo>,
    routes: Vec<Route>,
    half: Option<Half>,
}

/// A journey of the mix, and where its steps are in the list of all steps.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) journey: Handle,
    pub(crate) weight: u32,
    pub(crate) first_step_index: usize,
    /// As whom its users send.
    pub(crate) account: Account,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.journey.name(), self.weight)
    }
}

impl LoadPlan {
    /// Plans a load. `day` is the day of the run, to which the dates in payloads are relative.
    ///
    /// # Errors
    /// When the settings cannot be carried out.
    pub fn new(settings: Settings, seed: u64, day: Date) -> Result<Self, Error> {
        settings.check()?;
        let mut first_step_index = 0;
        let is_journaled = is_journaled(&settings);
        let route = |(journey, weight): (&Handle, u32)| {
            // What a written journey writes is not in the journal: in an account that is read back, it would be taken for invented.
            let is_apart = is_journaled && matches!(journey, Handle::Written(_));
            let account = if is_apart { Account::Apart } else { Account::Own };
            let route = Route { journey: journey.clone(), weight, first_step_index, account };
            first_step_index += journey.steps().len();
            route
        };
        let routes = settings.mix.entries().map(route).collect();
        Ok(Self { steps: settings.mix.steps(), routes, settings, seed, day, half: None })
    }

    /// Only those arrivals of an open model that belong to one of two compared variants. Both halves together are the plan.
    #[must_use]
    pub fn only(self, half: Half) -> Self {
        Self { half: Some(half), ..self }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The seed of every random decision.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The day of the run.
    #[must_use]
    pub fn day(&self) -> Date {
        self.day
    }

    /// Every step that can be sent, in the order of the index that samples carry.
    #[must_use]
    pub fn steps(&self) -> &[StepInfo] {
        &self.steps
    }

    /// One line for people, such as `open, poisson 25/s, ramp 5s`.
    #[must_use]
    pub fn description(&self) -> String {
        self.settings.arrivals.to_string()
    }

    /// The arrivals of an open model, in order; `None` for a closed model, whose due times depend on the answers.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        let Model::Open(due_times) = self.settings.arrivals.model(self.seed, self.settings.duration) else {
            return None;
        };
        let sieve = self.half.map(|half| Sieve::new(half, self.routes.iter().map(|route| route.journey.name())));
        Some(Schedule::new(due_times, self.order(), self.end_ns()).sieved(sieve))
    }

    /// Arrivals in the plan. In a closed model: if no journey outlasts its pacing, and no pacing strays.
    #[must_use]
    pub fn arrival_count(&self) -> u64 {
        match (self.schedule(), self.closed()) {
            (Some(schedule), _) => schedule.count() as u64,
            (None, Some(closed)) => closed.expected(self.settings.users, self.settings.duration),
            (None, None) => 0,
        }
    }

    /// The law of the gaps between arrivals. Half of a plan has none: a balanced coin leaves neither independent nor even gaps.
    pub(crate) fn law(&self) -> Option<Law> {
        if self.half.is_some() {
            return None;
        }
        self.settings.arrivals.law(self.settings.duration)
    }

    /// What is known of the measurement before it is made.
    pub(crate) fn meter(&self) -> Meter {
        let level_from = self.settings.arrivals.level_from(self.settings.duration);
        Meter {
            model: Some(if self.closed().is_some() { ModelKind::Closed } else { ModelKind::Open }),
            level_from_ns: level_from.map(units::nanos),
            warm_up: match self.settings.warm_up {
                WarmUp::Fixed(_) => record::WarmUp::Given,
                WarmUp::Auto => record::WarmUp::NotFound,
            },
            ..Meter::default()
        }
    }

    /// The most requests that come within a time, if no journey ends early: of an open model those of the plan, of a closed one about.
    #[must_use]
    pub fn most_requests_within(&self, within: Duration) -> u64 {
        let requests = |arrival: &Arrival| self.routes[arrival.journey_index].journey.requests_max();
        let Some(ahead) = self.schedule() else {
            let longest = self.routes.iter().map(|route| route.journey.requests_max()).max().unwrap_or(0);
            return self.closed().map_or(0, |closed| closed.expected(self.settings.users, within)) * longest;
        };
        let within_ns = units::nanos(within);
        let (mut behind, mut now, mut most) = (self.schedule().into_iter().flatten().peekable(), 0, 0);
        for arrival in ahead {
            now += requests(&arrival);
            while let Some(gone) = behind.next_if(|gone| gone.due_ns.saturating_add(within_ns) <= arrival.due_ns) {
                now -= requests(&gone);
            }
            most = most.max(now);
        }
        most
    }

    /// Whether writes are journaled: the settings ask for it, and a journey of the mix writes.
    #[must_use]
    pub fn is_journaled(&self) -> bool {
        is_journaled(&self.settings)
    }

    /// Whether the users need an account to make the journeys that it is for. One apart is had even by those who need not log in:
    /// a client that has a token sends it.
    pub(crate) fn needs(&self, account: Account) -> bool {
        let needs =
            |route: &Route| route.account == account && (account == Account::Apart || route.journey.needs_session());
        self.routes.iter().any(needs)
    }

    pub(crate) fn closed(&self) -> Option<&Closed> {
        match self.settings.arrivals.model(self.seed, self.settings.duration) {
            Model::Closed(closed) => Some(closed),
            Model::Open(_) => None,
        }
    }

    pub(crate) fn order(&self) -> Order {
        Order::new(&self.settings.mix.weights(), self.seed)
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn end_ns(&self) -> u64 {
        units::nanos(self.settings.duration)
    }

    /// How long users go on taking waiting arrivals after the last one was due.
    pub(crate) fn grace(&self) -> Duration {
        self.settings.longest_timeout()
    }
}

fn is_journaled(settings: &Settings) -> bool {
    settings.oracle.is_on && settings.mix.entries().any(|(journey, _)| journey.writes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_requests_within_a_time_are_those_of_journeys_that_repeat_a_step() {
        for (mix, arrivals, expected) in [
            ("chat = 1", r#"constant = { rate = "10/s" }"#, 10),
            ("chat-long = 1", r#"constant = { rate = "10/s" }"#, 10 * 5),
            ("booking = 1", r#"constant = { rate = "10/s" }"#, 10 * 64),
            ("chat = 1, booking = 1", r#"closed = { pacing = "2s" }"#, 10 * 64),
        ] {
            let text = format!("duration = \"10s\"\nusers = 20\nmix = {{ {mix} }}\narrivals = {{ {arrivals} }}");
            let plan = LoadPlan::new(toml::from_str(&text).unwrap(), 1, "2030-01-01".parse().unwrap()).unwrap();
            assert_eq!(plan.most_requests_within(Duration::from_secs(1)), expected, "{mix}");
        }
    }
}
