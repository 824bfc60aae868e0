//! Questions to a summary: how many, how slow, of whom and when.
use super::{Cell, Latency, OutcomeCounts, Scope, Summary, Window, is_judged_per_request, needs_stream};
use crate::{
    distribution::Distribution,
    record::{Measure, Outcome, PhaseKind},
};
use std::collections::BTreeSet;

impl Summary {
    /// Requests by class.
    #[must_use]
    pub fn outcomes(&self, scope: &Scope, window: &Window) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for (cell, values) in self.cells_of(scope, window, Measure::Response) {
            counts.add(cell.outcome, values.count());
        }
        counts
    }

    /// One measure, with requests that got no good answer as infinitely slow where it is taken once a request.
    #[must_use]
    pub fn latency(&self, scope: &Scope, window: &Window, measure: Measure) -> Latency {
        let mut good = Distribution::default();
        for (cell, values) in self.cells_of(scope, window, measure) {
            if cell.outcome.is_good() || !is_judged_per_request(measure) {
                good.add(values);
            }
        }
        let failed = match is_judged_per_request(measure) {
            true => self.judged(scope, window, measure).saturating_sub(good.count()),
            false => 0,
        };
        Latency { good, failed }
    }

    /// How many values of a measure there are, whatever became of their requests, and their sum in nanoseconds.
    #[must_use]
    pub fn total(&self, scope: &Scope, window: &Window, measure: Measure) -> (u64, f64) {
        let cells = self.cells_of(scope, window, measure);
        cells.fold((0, 0.0), |(count, sum), (_, values)| (count + values.count(), sum + values.sum_ns()))
    }

    /// One measure of the requests of one class only.
    #[must_use]
    pub fn latency_of_class(&self, scope: &Scope, window: &Window, measure: Measure, class: Outcome) -> Latency {
        let mut good = Distribution::default();
        let cells = self.cells_of(scope, window, measure).filter(|(cell, _)| cell.outcome == class);
        cells.for_each(|(_, values)| good.add(values));
        Latency { good, failed: 0 }
    }

    /// All requests, each journey, and each step by its name.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        let journeys = self.journeys.iter().map(|journey| Scope::Journey(journey.clone()));
        let mut named = BTreeSet::new();
        let steps = self.steps.iter().filter(|step| named.insert(step.name.as_str()));
        let steps = steps.map(|step| Scope::Step(step.name.clone()));
        [Scope::All].into_iter().chain(journeys).chain(steps).collect()
    }

    /// The whole run, each kind of phase, and each phase that is one of several of its kind.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        let kinds = PhaseKind::ALL.into_iter().map(Window::Kind);
        let is_one_of_many = |label: &&String| label.parse::<PhaseKind>().is_err();
        let labels = self.phases.iter().map(|phase| &phase.label).filter(is_one_of_many);
        [Window::Run].into_iter().chain(kinds).chain(labels.map(|label| Window::Label(label.clone()))).collect()
    }

    /// Whether the run has a phase of this kind with at least one request in it.
    #[must_use]
    pub fn has_requests(&self, kind: PhaseKind) -> bool {
        self.outcomes(&Scope::All, &Window::Kind(kind)).total() > 0
    }

    /// The window in which the target was left alone: `steady` if it has requests, else `run`.
    #[must_use]
    pub fn undisturbed(&self) -> Window {
        if self.has_requests(PhaseKind::Steady) { Window::Kind(PhaseKind::Steady) } else { Window::Run }
    }

    /// Whether any step's answers are streams.
    #[must_use]
    pub fn has_streams(&self) -> bool {
        self.steps.iter().any(|step| step.is_streamed)
    }

    fn judged(&self, scope: &Scope, window: &Window, measure: Measure) -> u64 {
        let is_meant = |cell: &Cell| {
            cell.outcome != Outcome::Limited && (self.steps[cell.step_index].is_streamed || !needs_stream(measure))
        };
        let cells = self.cells_of(scope, window, Measure::Response).filter(|(cell, _)| is_meant(cell));
        cells.map(|(_, values)| values.count()).sum()
    }

    fn cells_of(
        &self,
        scope: &Scope,
        window: &Window,
        measure: Measure,
    ) -> impl Iterator<Item = (&Cell, &Distribution)> {
        self.cells.iter().filter(move |(cell, _)| {
            cell.measure == measure
                && scope.holds(&self.steps[cell.step_index])
                && window.holds(&self.phases[cell.phase_index])
        })
    }
}
