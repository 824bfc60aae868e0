//! One short load of a calibration: the same engine, users, wire and recorder as a run, and what they measured.
use super::{Error, server::Server};
use crate::{
    engine,
    executor::Executor,
    journeys::{self, Journey},
    mix::Mix,
    plan::LoadPlan,
    recording::Recording,
    settings::Settings,
    stop::Stop,
    target::Target,
};
use hdrhistogram::Histogram;
use reports::record::{Counts, Measure, Outcome, Phase, PhaseKind, SecondCounts, folder::read_log, histogram};
use serde_json::json;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Time between the last preparation and clock zero.
const LEAD: Duration = Duration::from_millis(50);
/// Seed of what little is random in a calibration.
const SEED: u64 = 1;

/// What a short load measured.
#[derive(Debug)]
pub struct Trial {
    /// What became of its requests.
    pub counts: Counts,
    /// Answers that were as they must be.
    pub full_count: u64,
    /// Requests that were sent before the load's last second was over.
    pub sent_in_time: u64,
    /// Done minus due, in nanoseconds.
    pub response: Histogram<u64>,
    /// Done minus sent.
    pub service: Histogram<u64>,
    /// Released minus due.
    pub lag: Histogram<u64>,
    /// CPU time of the generator alone, per answer, in microseconds.
    pub cpu_us: f64,
}

/// A journey at evenly spaced instants.
pub(super) fn settings(journey: &'static dyn Journey, rate: f64, seconds: u64, users: u32) -> Settings {
    let text = json!({
        "duration": format!("{seconds}s"),
        "users": users,
        "mix": { journeys::ALL[0].name(): 1 },
        "arrivals": { "constant": { "rate": format!("{rate}/s") } },
        "request_timeout": "2s",
        "chat_timeout": "2s",
    });
    let settings: Settings = serde_json::from_value(text).expect("the keys and values of a load");
    Settings { mix: Mix::of(&[(journey, 1)]), ..settings }
}

/// Carries a load out against a server; `at_zero` learns clock zero before it comes.
pub(super) async fn carry_out(
    settings: Settings,
    server: &Server,
    executor: impl Executor,
    stop: &Stop,
    at_zero: impl FnOnce(Instant),
) -> Result<Trial, Error> {
    let seconds = usize::try_from(settings.duration.as_secs()).unwrap_or(usize::MAX);
    let plan = LoadPlan::new(settings, SEED, jiff::civil::Date::constant(2030, 1, 1))?;
    let steps = plan.steps().to_vec();
    let target = Target::resolve(server.url()).await?;
    let ready = engine::prepare(plan, target, "calibration", executor, stop).await?;
    let log = Log::default();
    let phases =
        vec![Phase { kind: PhaseKind::Steady, label: "steady".into(), from_ns: 0, to_ns: u64::MAX, faults: vec![] }];
    let server_before = server.cpu().await?;
    let (clock_zero, wall_zero) = (Instant::now() + LEAD, SystemTime::now() + LEAD);
    at_zero(clock_zero);
    let recording = Recording { measures: Box::new(log.clone()), phases: phases.clone(), clock_zero: wall_zero };
    let result = ready.drive(clock_zero, recording, stop).await?;
    if result.is_interrupted {
        return Err(Error::Stopped);
    }
    let server_cpu = server.cpu().await?.saturating_sub(server_before);
    result.measures_written?;
    let counts = result.load.counts;
    let generator_seconds = (result.generator.cpu_seconds - server_cpu.as_secs_f64()).max(0.0);
    let mut trial = Trial {
        counts,
        full_count: 0,
        sent_in_time: result.seconds.iter().take(seconds).map(|second: &SecondCounts| second.sent).sum(),
        response: histogram(),
        service: histogram(),
        lag: histogram(),
        cpu_us: generator_seconds * 1e6 / counts.completed.max(1) as f64,
    };
    read_log(&log.bytes(), &phases, &steps, |interval| {
        let into = match interval.measure {
            Measure::Response => &mut trial.response,
            Measure::Service => &mut trial.service,
            Measure::ScheduleLag => &mut trial.lag,
            _ => return,
        };
        into.add(&interval.histogram).expect("all histograms have the same bounds");
        if interval.measure == Measure::Response && interval.outcome == Outcome::Full {
            trial.full_count += interval.histogram.len();
        }
    })
    .map_err(|problem| Error::Log { problem })?;
    Ok(trial)
}

/// The p-quantile of a histogram, in nanoseconds.
pub(super) fn quantile_ns(histogram: &Histogram<u64>, p: f64) -> u64 {
    let count = histogram.len() as f64;
    // In floating point 0.999 × 30 000 is more than 29 970, so the rank is asked for by its middle.
    let rank = (p * count - 1e-9).ceil().max(1.0);
    histogram.value_at_quantile(((rank - 0.5) / count.max(1.0)).min(1.0))
}

/// Measures kept in memory.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn bytes(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_at_its_rank() {
        let mut values = histogram();
        (1..=30_000).for_each(|value| values.record(value).unwrap());
        let within = |p: f64, expected: u64| {
            let seen = quantile_ns(&values, p);
            assert!(values.equivalent(seen, expected), "p {p}: {seen} is not {expected}");
        };
        within(0.999, 29_970);
        within(0.5, 15_000);
        within(0.0, 1);
        within(1.0, 30_000);
        assert_eq!(quantile_ns(&histogram(), 0.5), 0, "nothing measured");
    }
}
