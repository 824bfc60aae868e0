//! A run that never happened, on a board, for the tests of those who show it.
use super::{board::Board, watch::Watch};
use loadtest::Stop;
use reports::record::{
    Connecting, Counts, FORMAT, FaultWindow, GeneratorHealth, LoadRecord, Machine, Meter, Origin, Outcome, Recorder,
    Round, Run, RunEnd, RunId, SECOND_NS, Sample, ScenarioText, StepInfo, Target, Watcher, cut,
};
use std::{
    collections::BTreeMap,
    io::Sink,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A board, the one who keeps it, and the recorder that it watches.
pub(super) struct Scene {
    pub(super) board: Arc<Board>,
    pub(super) stop: Stop,
    watch: Watch,
    recorder: Recorder<Sink>,
    counts: Counts,
    now_s: u64,
}

impl Scene {
    /// Forty seconds with a fault from the tenth to the twentieth; nothing has happened yet.
    pub(super) fn new(gates: &[&str]) -> Self {
        let head = head(gates);
        let (board, stop) = (Arc::new(Board::new(&head)), Stop::default());
        let watch = Watch::new(board.clone(), &head, stop.clone());
        let recorder = Recorder::start(std::io::sink(), SystemTime::UNIX_EPOCH, head.phases, head.steps).unwrap();
        Self { board, stop, watch, recorder, counts: Counts::default(), now_s: 0 }
    }

    /// One request, due in the current second.
    pub(super) fn request(&mut self, step_index: usize, outcome: Outcome, took: Duration) {
        let due_ns = self.now_s * SECOND_NS + 1;
        let done_ns = due_ns + u64::try_from(took.as_nanos()).unwrap();
        let (released_ns, sent_ns) = (due_ns + 10_000, due_ns + 20_000);
        let first_byte_ns = Some(done_ns);
        let connecting = Connecting::default();
        let sample = Sample {
            step_index,
            outcome,
            is_arrival: true,
            due_ns,
            released_ns,
            sent_ns,
            first_byte_ns,
            done_ns,
            stream: None,
            connecting,
        };
        self.recorder.observe(&sample);
        self.counts.offered += 1;
        self.counts.completed += 1;
    }

    /// The second ends, and everybody looks.
    pub(super) fn second_ends(&mut self) {
        self.now_s += 1;
        self.look(false);
    }

    /// The last answer is in.
    pub(super) fn run_ends(&mut self) {
        let watch = &mut self.watch;
        self.recorder.close_watched_before(u64::MAX, |second| watch.closed(second)).unwrap();
        self.look(true);
    }

    fn look(&mut self, is_over: bool) {
        self.watch.look(&Round {
            now_ns: self.now_s * SECOND_NS,
            is_over,
            counts: self.counts,
            in_flight: 3,
            seconds: self.recorder.seconds(),
            open: self.recorder.open().collect(),
            known_before: if is_over { u64::MAX } else { self.now_s },
            outstanding: BTreeMap::new(),
        });
    }
}

fn head(gates: &[&str]) -> Run {
    let window = FaultWindow { from_ns: 10 * SECOND_NS, to_ns: 20 * SECOND_NS };
    let step = |name: &str, journey: &str| StepInfo { name: name.into(), journey: journey.into(), is_streamed: false };
    Run {
        format: FORMAT,
        id: RunId::new(1_795_425_242, 0x7f3a),
        harness_version: String::new(),
        scenario: ScenarioText {
            name: "scene".into(),
            title: "A scene <with> \"quotes\"".into(),
            digest: String::new(),
            overrides: Vec::new(),
            feeders: Vec::new(),
        },
        seed: 1,
        target: Target {
            url: "http://127.0.0.1:1".into(),
            is_bundled: true,
            processes: Vec::new(),
            settings: BTreeMap::new(),
        },
        machine: Machine { system: String::new(), cpu_model: String::new(), cpu_count: 1, memory_bytes: 1 },
        clock_zero: String::new(),
        planned_ns: 40 * SECOND_NS,
        finished_ns: 0,
        end: RunEnd::Completed,
        load: LoadRecord {
            description: String::new(),
            users: 1,
            connection: String::new(),
            mix: Vec::new(),
            counts: Counts::default(),
            origin: Origin::default(),
        },
        phases: cut(0, 40 * SECOND_NS, &[("mcp.flights latency".to_owned(), window)]),
        steps: vec![
            step("flights.search", "flight-search"),
            step("trips.create", "trip-creation"),
            step("flights.search", "traveller"),
        ],
        faults: Vec::new(),
        gates: gates.iter().map(|gate| (*gate).to_owned()).collect(),
        generator: GeneratorHealth::default(),
        meter: Meter::default(),
        calibration: None,
        oracle: None,
        monitoring: None,
    }
}
