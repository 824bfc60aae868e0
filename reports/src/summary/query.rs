//! Questions to a summary: how many, how slow, of whom and when.
use super::{Cell, Latency, OutcomeCounts, Scope, Summary, Window, is_judged_per_request, needs_stream};
use crate::{
    distribution::Distribution,
    record::{Measure, Outcome, PhaseKind, SECOND_NS},
};

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

    /// Share of the arrivals due in a window that were sent; `None` when the table of seconds is missing or has no arrivals there.
    ///
    /// A second belongs to the phase that its middle lies in.
    #[must_use]
    pub fn sent_share(&self, window: &Window) -> Option<f64> {
        let middle_ns = |second: usize| second as u64 * SECOND_NS + SECOND_NS / 2;
        let is_meant = |second: usize| {
            let phase = self.phases.iter().rfind(|phase| phase.from_ns <= middle_ns(second));
            phase.is_some_and(|phase| window.holds(phase))
        };
        let meant = self.seconds.iter().enumerate().filter(|(second, _)| is_meant(*second));
        let (offered, dropped) = meant.fold((0, 0), |sum, (_, s)| (sum.0 + s.offered, sum.1 + s.dropped + s.unsent));
        (offered > 0).then(|| offered.saturating_sub(dropped) as f64 / offered as f64)
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
