//! What the tests share: a plain journey, servers that do as they are told, a run from start to record.
use axum::{Router, routing::get};
use futures_util::future::BoxFuture;
use hdrhistogram::Histogram;
use loadtest::{
    LoadPlan, LoadResult, Mix, Recording, Settings, Stop, Target, Visit, client,
    executor::{Executor, Tasks},
    journeys::{Journey, Step},
};
use reports::record::{
    Counts, FORMAT, Interval, Machine, Measure, Outcome, Phase, PhaseKind, Run, RunEnd, RunId, ScenarioText, folder,
    histogram,
};
use std::{
    collections::BTreeMap,
    fs::File,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

/// GET /, without a session.
pub(crate) struct Get;

impl Journey for Get {
    fn name(&self) -> &'static str {
        "get"
    }

    fn steps(&self) -> &'static [Step] {
        &[Step { name: "root", is_streamed: false }]
    }

    fn needs_session(&self) -> bool {
        false
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let is_ok = |answer: &client::Answer| if answer.status == 200 { Outcome::Full } else { Outcome::Wrong };
            visit.ask(0, client::get("/".parse().unwrap()), is_ok).await;
        })
    }
}

/// Settings as in a scenario file, with [`Get`] as the only journey.
pub(crate) fn settings(text: &str) -> Settings {
    let mut settings: Settings = toml::from_str(&format!("mix = {{ chat = 1 }}\n{text}")).unwrap();
    settings.mix = Mix::of(&[(&Get, 1)]);
    settings
}

pub(crate) fn plan(settings: Settings) -> LoadPlan {
    LoadPlan::new(settings, 42, "2030-01-01".parse().unwrap()).unwrap()
}

/// Serves a router on a port of its own; ends when dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, task }
    }

    /// Answers GET / after a delay.
    pub(crate) async fn slow(delay: Duration) -> Self {
        Self::start(Router::new().route("/", get(async move || tokio::time::sleep(delay).await))).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A thread that is ready to run waits no longer than this for its turn, nearly always.
const HELD_UP_NS: f64 = 25e6;

/// Held by a test that measures to the millisecond, and by one that works hard: they would spoil each other.
pub(crate) static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Signals that this process has received. Our handler is installed before any goose starts, as a program must do.
pub(crate) static SIGNALS: LazyLock<&'static AtomicUsize> = LazyLock::new(|| {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = || {
        COUNT.fetch_add(1, Ordering::SeqCst);
    };
    ctrlc::set_handler(count).expect("no other handler is installed");
    &COUNT
});

/// What a run left.
pub(crate) struct Done {
    pub(crate) result: LoadResult,
    folder: tempfile::TempDir,
    run: Run,
}

/// Carries a plan out, with `during` beside it from clock zero on.
pub(crate) async fn drive_with(
    executor: impl Executor,
    plan: LoadPlan,
    url: &str,
    stop: &Stop,
    during: impl FnOnce(Instant) -> BoxFuture<'static, ()>,
) -> Done {
    LazyLock::force(&SIGNALS);
    let target = Target::resolve(url).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let phase =
        Phase { kind: PhaseKind::Steady, label: "steady".into(), from_ns: 0, to_ns: u64::MAX, faults: Vec::new() };
    let steps = plan.steps().to_vec();
    let ready = loadtest::prepare(plan, target, "run-1", executor, stop).await.unwrap();
    let recording = Recording {
        measures: Box::new(File::create(folder.path().join("measures.hlog")).unwrap()),
        phases: vec![phase.clone()],
        clock_zero: SystemTime::now(),
    };
    let clock_zero = Instant::now() + Duration::from_millis(20);
    let beside = tokio::spawn(during(clock_zero));
    let result = ready.drive(clock_zero, recording, stop).await.unwrap();
    beside.await.unwrap();
    result.measures_written.as_ref().unwrap();
    let run = run(&result, phase, steps);
    Done { result, folder, run }
}

/// Carries a plan out on plain tasks.
pub(crate) async fn drive(plan: LoadPlan, url: &str) -> Done {
    drive_with(Tasks, plan, url, &Stop::default(), |_| Box::pin(async {})).await
}

impl Done {
    pub(crate) fn counts(&self) -> Counts {
        self.result.load.counts
    }

    /// The samples of one measure, by step and outcome.
    pub(crate) fn by_class(&self, measure: Measure) -> BTreeMap<(String, Outcome), u64> {
        let mut counts = BTreeMap::new();
        self.visit(|interval| {
            if interval.measure == measure {
                let step = self.run.steps[interval.step_index].name.clone();
                *counts.entry((step, interval.outcome)).or_default() += interval.histogram.len();
            }
        });
        counts
    }

    pub(crate) fn outcome(&self, outcome: Outcome) -> u64 {
        self.by_class(Measure::Response).iter().filter(|((_, seen), _)| *seen == outcome).map(|(_, count)| count).sum()
    }

    /// All samples of one measure.
    pub(crate) fn histogram(&self, measure: Measure) -> Histogram<u64> {
        let mut all = histogram();
        self.visit(|interval| {
            if interval.measure == measure {
                all.add(&interval.histogram).unwrap();
            }
        });
        all
    }

    fn visit(&self, visit: impl FnMut(Interval)) {
        let path: &Path = self.folder.path();
        folder::read_measures(path, &self.run, visit).unwrap();
    }

    /// Every request is accounted for, in the counts and second by second.
    #[track_caller]
    pub(crate) fn assert_conserved(&self) {
        let counts = self.counts();
        assert_eq!(counts.offered, counts.completed + counts.dropped + counts.unfinished, "{counts:?}");
        let sum = |part: fn(&reports::record::SecondCounts) -> u64| self.result.seconds.iter().map(part).sum::<u64>();
        assert_eq!(counts.lost, 0);
        assert_eq!(sum(|second| second.offered), counts.offered, "offered");
        assert_eq!(sum(|second| second.completed), counts.completed, "completed");
        assert_eq!(sum(|second| second.dropped), counts.dropped, "dropped");
        assert_eq!(self.histogram(Measure::Response).len(), counts.completed, "samples on disk");
        let cut_off = self.result.meter.cut_off.unwrap();
        self.assert_present(sum(|second| second.present_ns), cut_off.due_ns, Measure::Response);
        self.assert_present(sum(|second| second.in_flight_ns), cut_off.sent_ns, Measure::Service);
    }

    /// Little's law: what the counters saw is what the samples add up to, within 2 % or 10 µs for each.
    ///
    /// The two sides read the clock one after the other, so a machine that is busy may hold one of the readings up.
    #[track_caller]
    fn assert_present(&self, counted_ns: u64, cut_off_ns: u64, measure: Measure) {
        let histogram = self.histogram(measure);
        let measured_ns = histogram.mean() * histogram.len() as f64;
        let counted_ns = counted_ns as f64 - cut_off_ns as f64;
        // Of what was cut off, too, the two sides read the clock one after the other.
        let events = histogram.len() + self.counts().unfinished;
        let allowed_ns = (counted_ns * 0.02).max(10_000.0 * events as f64) + HELD_UP_NS;
        let difference_ns = (counted_ns - measured_ns).abs();
        assert!(difference_ns <= allowed_ns, "{measure}: {counted_ns} ns counted, {measured_ns} ns in the samples");
    }
}

fn run(result: &LoadResult, phase: Phase, steps: Vec<reports::record::StepInfo>) -> Run {
    Run {
        format: FORMAT,
        id: RunId::new(0, 0),
        harness_version: String::new(),
        scenario: ScenarioText {
            name: String::new(),
            title: String::new(),
            digest: String::new(),
            overrides: Vec::new(),
            feeders: Vec::new(),
        },
        seed: 42,
        target: reports::record::Target {
            url: String::new(),
            is_bundled: false,
            processes: Vec::new(),
            settings: BTreeMap::new(),
        },
        machine: Machine { system: String::new(), cpu_model: String::new(), cpu_count: 1, memory_bytes: 0 },
        clock_zero: String::new(),
        planned_ns: 0,
        finished_ns: result.finished_ns,
        end: RunEnd::Completed,
        load: result.load.clone(),
        phases: vec![phase],
        steps,
        faults: Vec::new(),
        gates: Vec::new(),
        generator: result.generator,
        meter: result.meter.clone(),
        calibration: None,
        oracle: None,
        monitoring: None,
    }
}

/// Waits for a condition, at most ten seconds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within ten seconds"));
}
