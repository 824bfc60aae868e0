//! Runs that never happened: plausible and nasty run folders, written through the real recorder from a seed.
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp, LogNormal};
use reports::record::{
    ArrivalFit, Connecting, Counts, CutOff, FORMAT, FaultEffect, FaultEnd, FaultRecord, FaultWindow, GeneratorHealth,
    HostUse, LoadRecord, Machine, Meter, MixEntry, ModelKind, Oracle, Origin, Outcome, ProcessUsage, Recorder, Run,
    RunEnd, RunFolder, RunId, SECOND_NS, Sample, Scatter, ScenarioText, SecondCounts, StepInfo, Stream, Target, cut,
};
use reports::report::Report;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{LazyLock, OnceLock},
    time::{Duration, SystemTime},
};

/// 2026-11-23T09:14:02Z.
const STARTED_UNIX_SECONDS: u64 = 1_795_425_242;
const MS: u64 = 1_000_000;

pub(crate) const SEARCH: usize = 0;
pub(crate) const CHAT: usize = 1;
pub(crate) const TRIP: usize = 2;

/// What a run is to look like.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) seconds: u64,
    pub(crate) per_second: f64,
    /// First and last second of a fault on the flights link.
    pub(crate) fault: Option<(u64, u64)>,
    pub(crate) gates: Vec<&'static str>,
    pub(crate) seed: u64,
}

/// Forty seconds with a fault in the middle: what `quickstart` leaves.
pub(crate) fn quickstart() -> Shape {
    Shape {
        seconds: 40,
        per_second: 25.0,
        fault: Some((14, 24)),
        gates: vec![
            "p95 < 500ms for flights.search window=steady",
            "p95 < 300ms for trips.create window=steady",
            "first_event.p95 < 500ms for chat.message",
            "p95 < 2s for chat.message window=steady",
            "error-rate < 10% window=steady",
            "p99 < 5s for flights.search class=dependency_error window=during",
            "p95 < 500ms for flights.search window=during",
            "undeclared = 0",
            "wrong = 0",
            "achieved-rate > 99%",
        ],
        seed: 42,
    }
}

/// As little as has every phase: for tests that do not look at figures.
pub(crate) fn short() -> Shape {
    Shape { seconds: 12, per_second: 12.0, fault: Some((5, 8)), ..quickstart() }
}

/// The folder of [`quickstart`], written once for all tests that only read it.
pub(crate) fn quickstart_folder() -> &'static Path {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let write = || {
        let root = tempfile::tempdir().unwrap();
        let path = Draft::new(&quickstart()).write(root.path());
        (root, path)
    };
    &FOLDER.get_or_init(write).1
}

/// The same, read and judged.
pub(crate) fn quickstart_report() -> &'static Report {
    static REPORT: LazyLock<Report> = LazyLock::new(|| Report::read(quickstart_folder()).unwrap());
    &REPORT
}

/// A run in the making.
pub(crate) struct Draft {
    pub(crate) run: Run,
    pub(crate) samples: Vec<Sample>,
    pub(crate) dropped_ns: Vec<u64>,
    /// What the counters saw, where that is not what the samples say.
    pub(crate) counted: Option<Vec<Sample>>,
}

impl Draft {
    /// Draws the samples of a run.
    pub(crate) fn new(shape: &Shape) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(shape.seed);
        let run = head(shape);
        let gap = Exp::new(shape.per_second).unwrap();
        let (mut samples, mut dropped_ns, mut at) = (Vec::new(), Vec::new(), gap.sample(&mut random));
        while at < shape.seconds as f64 {
            let due_ns = (at * 1e9) as u64;
            let second = due_ns / SECOND_NS;
            let is_during = shape.fault.is_some_and(|(from, to)| (from..to).contains(&second));
            at += gap.sample(&mut random);
            // One second in which nothing was due: charts must show a gap, not a line through it.
            if second == 33 {
                continue;
            }
            if is_during && dropped_ns.len() < 2 && random.random_bool(0.02) {
                dropped_ns.push(due_ns);
                continue;
            }
            let step_index = [SEARCH, SEARCH, SEARCH, CHAT, CHAT, TRIP][random.random_range(0..6)];
            samples.push(sample(&mut random, step_index, due_ns, is_during));
        }
        let mut draft = Self { run, samples, dropped_ns, counted: None };
        draft.count();
        draft
    }

    /// Makes the head's counts those of the samples.
    pub(crate) fn count(&mut self) {
        let offered = (self.samples.len() + self.dropped_ns.len()) as u64;
        let counts = Counts {
            planned: offered,
            arrived: offered,
            offered,
            completed: self.samples.len() as u64,
            dropped: self.dropped_ns.len() as u64,
            ..Counts::default()
        };
        self.run.load.counts = counts;
        // As a plan in whole blocks has them, the last one begun.
        let (blocks, mut rest) = (offered / 6, offered % 6);
        for entry in &mut self.run.load.mix {
            let more = rest.min(u64::from(entry.weight));
            entry.arrivals = blocks * u64::from(entry.weight) + more;
            rest -= more;
        }
        self.run.meter.arrivals = Some(self.fit());
        let last_ns = self.samples.iter().map(|sample| sample.done_ns).max().unwrap_or(0);
        self.run.finished_ns = last_ns.max(self.run.planned_ns);
    }

    /// How the released arrivals were spaced.
    fn fit(&self) -> ArrivalFit {
        let per_second = self.run.load.counts.planned as f64 / (self.run.planned_ns as f64 / 1e9);
        let mut fit = ArrivalFit::new(Scatter::Poisson, per_second.max(0.1));
        let mut released: Vec<u64> = self.samples.iter().map(|sample| sample.released_ns).collect();
        released.extend(&self.dropped_ns);
        released.sort_unstable();
        let ends: Vec<u64> = released.into_iter().step_by(fit.block as usize).collect();
        ends.windows(2).for_each(|pair| fit.observe((pair[1] - pair[0]) as f64 / 1e9 * per_second));
        fit
    }

    /// Writes the finished folder.
    pub(crate) fn write(&self, root: &Path) -> PathBuf {
        let (folder, seconds) = self.write_measures(root);
        folder.finish(&self.run, &seconds).unwrap()
    }

    /// Leaves the folder as a program does that was killed: no table of seconds, and half a line at the log's end.
    pub(crate) fn write_killed(&self, root: &Path) -> PathBuf {
        let (folder, _) = self.write_measures(root);
        folder.write_head(&self.run).unwrap();
        let log = std::fs::read(folder.measures_path()).unwrap();
        std::fs::write(folder.measures_path(), &log[..log.len() - 40]).unwrap();
        folder.path().to_owned()
    }

    fn write_measures(&self, root: &Path) -> (RunFolder, Vec<SecondCounts>) {
        let folder = RunFolder::create(root, &self.run, "title = \"synthetic\"\n").unwrap();
        let clock_zero = SystemTime::UNIX_EPOCH + Duration::from_secs(STARTED_UNIX_SECONDS);
        let log = std::io::BufWriter::new(File::create(folder.measures_path()).unwrap());
        let mut recorder = Recorder::start(log, clock_zero, self.run.phases.clone(), self.run.steps.clone()).unwrap();
        self.samples.iter().for_each(|sample| recorder.observe(sample));
        self.dropped_ns.iter().for_each(|due_ns| recorder.dropped(*due_ns / SECOND_NS, 1));
        for seen in self.counted.as_ref().unwrap_or(&self.samples) {
            recorder.present(seen.due_ns, seen.done_ns, seen.done_ns - seen.due_ns, 0);
            recorder.present(seen.sent_ns, seen.done_ns, 0, seen.done_ns - seen.sent_ns);
        }
        let (log, seconds, late_count) = recorder.finish().unwrap();
        assert_eq!(late_count, 0);
        drop(log);
        (folder, seconds)
    }
}

/// Draws one request: log-normal service times; the flights link adds 1.5 s while its fault is on, until the breaker opens.
fn sample(random: &mut ChaCha8Rng, step_index: usize, due_ns: u64, is_during: bool) -> Sample {
    let mut draw = |median_ms: f64, spread: f64| {
        (LogNormal::new(median_ms.ln(), spread).unwrap().sample(random) * MS as f64) as u64
    };
    let released_ns = due_ns + draw(0.08, 0.6).min(900_000);
    let sent_ns = released_ns + if is_during { draw(6.0, 1.0) } else { draw(0.05, 0.5) };
    let mut service_ns = match step_index {
        SEARCH => draw(120.0, 0.35),
        CHAT => draw(520.0, 0.3),
        _ => draw(28.0, 0.3),
    };
    let first_event_ns = sent_ns + draw(60.0, 0.4).min(service_ns / 2);
    let gaps: Vec<u64> = (0..8).map(|_| draw(24.0, 0.5)).collect();
    let mut outcome = Outcome::Full;
    if is_during && step_index == SEARCH {
        (outcome, service_ns) = match random.random_range(0..100) {
            0..12 => (Outcome::DependencyError, 2_500 * MS + service_ns / 20),
            12..60 => (Outcome::Degraded, 9 * MS + service_ns / 20),
            _ => (Outcome::Full, 1_500 * MS + service_ns),
        };
    } else if random.random_bool(0.002) {
        outcome = Outcome::Shed;
    }
    let done_ns = sent_ns + service_ns;
    let stream = (step_index == CHAT && outcome.is_good()).then(|| Stream {
        first_event_ns: Some(first_event_ns),
        first_token_ns: Some((first_event_ns + service_ns / 4).min(done_ns)),
        gaps_ns: gaps,
        ended_properly: true,
    });
    let first_byte_ns = Some(sent_ns + service_ns * 9 / 10);
    Sample {
        step_index,
        outcome,
        is_arrival: true,
        due_ns,
        released_ns,
        sent_ns,
        first_byte_ns,
        done_ns,
        stream,
        connecting: Connecting::default(),
    }
}

fn head(shape: &Shape) -> Run {
    let fault_name = "mcp.flights latency";
    let planned = shape.fault.map(|(from, to)| FaultWindow { from_ns: from * SECOND_NS, to_ns: to * SECOND_NS });
    let really = planned.map(|window| FaultWindow { from_ns: window.from_ns + 3 * MS, to_ns: window.to_ns + 5 * MS });
    let windows: Vec<(String, FaultWindow)> = really.iter().map(|window| (fault_name.to_owned(), *window)).collect();
    let planned_ns = shape.seconds * SECOND_NS;
    let warm_up_ns = (4 * SECOND_NS).min(planned_ns / 4);
    let fault = |planned| FaultRecord {
        name: fault_name.to_owned(),
        link: "mcp.flights".to_owned(),
        kind: "latency".to_owned(),
        description: "latency 1.5s ± 100ms downstream, every connection".to_owned(),
        planned,
        window: really,
        end: FaultEnd::Lifted,
        effect: Some(FaultEffect { connections: 14, chunks: 61, bytes: 182_331, delayed_us: 91_540_000, requests: 0 }),
        error: None,
    };
    let step = |name: &str, journey: &str, is_streamed| StepInfo {
        name: name.to_owned(),
        journey: journey.to_owned(),
        is_streamed,
    };
    let mix = |journey: &str, weight| MixEntry { journey: journey.to_owned(), weight, arrivals: 0 };
    let process = |name: &str, cpu_seconds| ProcessUsage {
        name: name.to_owned(),
        cpu_seconds,
        rss_max_bytes: 48_300_000,
        died: None,
    };
    Run {
        format: FORMAT,
        id: RunId::new(STARTED_UNIX_SECONDS as i64, 0x7f3a),
        harness_version: "0.1.0".to_owned(),
        scenario: ScenarioText {
            name: "quickstart".to_owned(),
            title: "Flights become slow in the middle of ordinary load".to_owned(),
            digest: "91c2d07be1c5a54cf8da04b7ba1da5e19e4a0c9f4f7b8d5f1f54a3f6f3a1b2c3".to_owned(),
            overrides: Vec::new(),
            feeders: Vec::new(),
        },
        seed: shape.seed,
        target: Target {
            url: "http://127.0.0.1:38411".to_owned(),
            is_bundled: true,
            processes: vec![process("service", 6.21), process("providers", 4.02)],
            settings: BTreeMap::new(),
        },
        machine: Machine {
            system: "Linux 6.18.44".to_owned(),
            cpu_model: "Example CPU @ 2.60GHz".to_owned(),
            cpu_count: 2,
            memory_bytes: 25_769_803_776,
        },
        clock_zero: "2026-11-23T09:14:02Z".to_owned(),
        planned_ns,
        finished_ns: planned_ns,
        end: RunEnd::Completed,
        load: LoadRecord {
            description: format!("open, poisson {}/s", shape.per_second),
            connection: "HTTP/1.1, one connection per user".to_owned(),
            users: 64,
            mix: vec![mix("flight-search", 3), mix("chat", 2), mix("trip", 1)],
            counts: Counts::default(),
            origin: Origin::default(),
        },
        phases: cut(warm_up_ns, planned_ns, &windows),
        // The last step gets no samples: every page must cope with it.
        steps: vec![
            step("flights.search", "flight-search", false),
            step("chat.message", "chat", true),
            step("trips.create", "trip", false),
            step("trips.get", "trip", false),
        ],
        faults: planned.map(fault).into_iter().collect(),
        gates: shape.gates.iter().map(|gate| (*gate).to_owned()).collect(),
        generator: GeneratorHealth { cpu_seconds: 7.9, rss_max_bytes: 31_200_000, clock_jump_ns: 240_000, unopened: 0 },
        meter: Meter {
            model: Some(ModelKind::Open),
            level_from_ns: Some(0),
            cut_off: Some(CutOff::default()),
            clock_resolution_ns: Some(41),
            host: Some(HostUse { steal_share: 0.004, busy_share: 0.25 }),
            ..Meter::default()
        },
        calibration: None,
        oracle: Some(Oracle { acknowledged: 136, verified: 136, took_ns: 310 * MS, ..Oracle::default() }),
    }
}
