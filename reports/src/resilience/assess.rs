//! The figures of every episode and journey of a run.
use super::{
    Band, Episode, Figures, Impact, NoBand, Objective, Place, Served, Unknown,
    band::{FRESH_SECONDS, MOST_STRAYS},
    first_run, promised_by,
};
use crate::{
    record::{PhaseKind, Run, RunEnd, SECOND_NS},
    summary::Summary,
};

/// What the faults of a run did to its users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resilience {
    /// The journeys with their bands, in the order of the summary's.
    pub bands: Vec<(String, Result<Band, NoBand>)>,
    /// What was on, and what it did; empty for a run in which no fault was on.
    pub experiments: Vec<Experiment>,
}

/// Faults that were on together, and what they did to each journey.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The names of its faults.
    pub faults: Vec<String>,
    /// When they were on.
    pub episode: Episode,
    /// Per journey, in the order of the summary's.
    pub impacts: Vec<Impact>,
    /// Arrivals that the generator gave up or never sent, until every journey was back. Of which journeys is not recorded, so they are in none
    /// of the figures.
    pub unsent: u64,
}

impl Experiment {
    /// Its faults in one text.
    #[must_use]
    pub fn name(&self) -> String {
        self.faults.join(" + ")
    }
}

/// Compares what was seen around each fault with what was usual before the first one.
#[must_use]
pub fn assess(run: &Run, summary: &Summary) -> Resilience {
    let episodes = Episode::of(&run.faults, measured_to_ns(run));
    let Some(first) = episodes.first() else { return Resilience::default() };
    let steady = steady_seconds(run, first);
    let is_steady = |second: usize| steady.binary_search(&second).is_ok();
    let band = |served: &Vec<Served>| {
        let before = served.iter().enumerate().filter(|(second, _)| is_steady(*second));
        Band::of(&before.map(|(_, served)| *served).collect::<Vec<_>>())
    };
    let bands: Vec<_> = summary.journeys.iter().cloned().zip(summary.served.iter().map(band)).collect();
    let objectives = Objective::of_steps(&run.gates, &run.steps);
    let promised = |journey: &str| {
        let steps = run.steps.iter().zip(&objectives).filter(|(step, _)| step.journey == journey);
        promised_by(steps.map(|(_, objective)| *objective))
    };
    let impact = |position: usize, (journey, band): &(String, Result<Band, NoBand>), served: &[Served]| {
        let figures = band.map_err(Unknown::NoBand).and_then(|band| {
            let before = position.checked_sub(1).map(|before| &episodes[before]);
            let is_back = before.is_none_or(|before| is_back(served, &band, before, &episodes[position]));
            match is_back {
                true => Ok(Figures::of(served, &band, &episodes[position], promised(journey))),
                false => Err(Unknown::NotBack),
            }
        });
        Impact { journey: journey.clone(), figures }
    };
    let experiment = |(position, episode): (usize, &Episode)| {
        let impacts: Vec<Impact> =
            bands.iter().zip(&summary.served).map(|(band, served)| impact(position, band, served)).collect();
        Experiment {
            faults: episode.faults.iter().map(|fault| run.faults[*fault].name.clone()).collect(),
            unsent: unsent(summary, episode, &impacts),
            episode: episode.clone(),
            impacts,
        }
    };
    let experiments = episodes.iter().enumerate().map(experiment).collect();
    Resilience { experiments, bands }
}

/// Until when requests were due.
fn measured_to_ns(run: &Run) -> u64 {
    let aborted_ns = if let RunEnd::Aborted { at_ns, .. } = run.end { at_ns } else { u64::MAX };
    run.planned_ns.min(run.finished_ns).min(aborted_ns)
}

/// Whole seconds of the level load, after the warm-up and before anything was on.
fn steady_seconds(run: &Run, first: &Episode) -> Vec<usize> {
    let level_from_ns = run.meter.level_from_ns.unwrap_or(0);
    let phases = run.phases.iter().filter(|phase| phase.kind == PhaseKind::Steady);
    let seconds = phases.flat_map(|phase| {
        let from = phase.from_ns.max(level_from_ns).div_ceil(SECOND_NS);
        let to = phase.to_ns.min(first.window.from_ns) / SECOND_NS;
        from..to
    });
    seconds.filter_map(|second| usize::try_from(second).ok()).collect()
}

/// Whether a journey was in its band again between two episodes, and still when the second one began.
fn is_back(served: &[Served], band: &Band, before: &Episode, next: &Episode) -> bool {
    let gap = (before.last_second(), next.first_second());
    let Some(back) = first_run(served, band, gap, Place::Inside) else { return false };
    let from = back.max(gap.1.saturating_sub(FRESH_SECONDS));
    let since = served.iter().take(gap.1).skip(from);
    since.filter(|second| band.place(second) == Place::Outside).count() <= MOST_STRAYS
}

fn unsent(summary: &Summary, episode: &Episode, impacts: &[Impact]) -> u64 {
    let until = impacts.iter().filter_map(|impact| Some(impact.figures.as_ref().ok()?.until_s)).max();
    let to = until.and_then(|until| usize::try_from(until).ok()).unwrap_or(episode.last_second());
    let seconds = summary.seconds.iter().take(to).skip(episode.first_second());
    seconds.map(|counts| counts.dropped + counts.unsent).sum()
}
