//! Reads a run folder once, one histogram at a time, into everything that is judged or drawn.
use super::series::{Series, SeriesBuilder};
use crate::{
    distribution::Distribution,
    gate::Evidence,
    record::{
        Interval, Measure, Outcome, Phase, Run, RunEnd, SECOND_NS, SecondCounts, StepInfo,
        folder::{Error, read_measures, read_seconds},
    },
    resilience::{Served, ServedBuilder},
    steady::Course,
};
use std::{collections::BTreeMap, path::Path};

/// The place of one distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Position in [`Summary::steps`].
    pub step_index: usize,
    /// Position in [`Summary::phases`].
    pub phase_index: usize,
    /// Class of the requests.
    pub outcome: Outcome,
    /// What was measured.
    pub measure: Measure,
}

/// What the measures of a run add up to. Its size depends on steps, phases and the spread of values, hardly on the run's length.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The phases of the run.
    pub phases: Vec<Phase>,
    /// The steps of the run.
    pub steps: Vec<StepInfo>,
    /// The journeys, in the order of their first step.
    pub journeys: Vec<String>,
    /// Counts per second; empty for a run that was killed before they were written.
    pub seconds: Vec<SecondCounts>,
    /// Every distribution that holds values.
    pub cells: BTreeMap<Cell, Distribution>,
    /// The course of the run.
    pub series: Series,
    /// How the latency went, second by second.
    pub course: Course,
    /// How the users of each journey were served, in the order of `journeys`, second by second; nothing for a run in which no fault was on.
    pub served: Vec<Vec<Served>>,
    /// What speaks for and against each gate, in the order of [`Run::gates`].
    pub evidence: Vec<Evidence>,
}

impl Summary {
    /// Reads the measures of a run; gates are those of its head.
    ///
    /// # Errors
    /// When a file of the folder cannot be read or is damaged.
    pub fn read(folder: &Path, run: &Run) -> Result<Self, Error> {
        let seconds = read_seconds(folder)?;
        let journeys = journeys_of(&run.steps);
        let run_seconds = run.planned_ns.max(run.finished_ns).div_ceil(SECOND_NS).max(seconds.len() as u64);
        let mut series = SeriesBuilder::new(run_seconds, &run.steps, &journeys);
        let mut course = Course::default();
        let mut served = ServedBuilder::new(run, &journeys);
        let mut cells: BTreeMap<Cell, Distribution> = BTreeMap::new();
        let mut evidence: Vec<Evidence> = run.gates.iter().map(|text| Evidence::new(text, run)).collect();
        read_measures(folder, run, |interval| {
            let values = Distribution::from(&interval.histogram);
            cells.entry(cell_of(&interval)).or_default().add(&values);
            series.add(&interval, &values);
            course.add(&interval, &values);
            served.add(&interval, &values);
            evidence.iter_mut().for_each(|gate| gate.add(&interval.place(), &values));
        })?;
        let whole_seconds = if run.end == RunEnd::Completed { run.planned_ns.div_ceil(SECOND_NS) } else { 0 };
        let series = series.finish(&seconds, whole_seconds);
        Ok(Self {
            phases: run.phases.clone(),
            steps: run.steps.clone(),
            journeys,
            seconds,
            cells,
            series,
            course,
            served: served.finish(),
            evidence,
        })
    }
}

fn cell_of(interval: &Interval) -> Cell {
    Cell {
        step_index: interval.step_index,
        phase_index: interval.phase_index,
        outcome: interval.outcome,
        measure: interval.measure,
    }
}

fn journeys_of(steps: &[StepInfo]) -> Vec<String> {
    let mut journeys: Vec<String> = Vec::new();
    for step in steps {
        if !journeys.contains(&step.journey) {
            journeys.push(step.journey.clone());
        }
    }
    journeys
}
