//! Machines that never existed: a generator of latencies with the noise of real ones, to see how often a gate errs and what it finds.
//!
//! `ln L = job + restart + drift (Ornstein–Uhlenbeck) + AR(1) of one second + burst + 0.5·N(0, 1)`, and in one request of fifty an
//! exponential tail. Source: measurement.md B1, which does not say the coefficient of the AR(1), 0.5 here, or the mean of the tail.
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use reports::{
    distribution::rank,
    regression::{percentile::Percentile, sequential::Plan, signed_rank::SignedRank},
};
use std::sync::LazyLock;

/// Standard deviations on the log scale, and how often it stalls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    job: f64,
    restart: f64,
    drift: f64,
    drift_s: f64,
    fast: f64,
    burst_every_s: f64,
    burst_s: u32,
    burst_extra: f64,
}

pub(crate) const QUIET: Machine = Machine {
    name: "quiet",
    job: 0.01,
    restart: 0.005,
    drift: 0.01,
    drift_s: 60.0,
    fast: 0.01,
    burst_every_s: 120.0,
    burst_s: 1,
    burst_extra: 0.3,
};
pub(crate) const SHARED: Machine = Machine {
    name: "shared",
    job: 0.06,
    restart: 0.01,
    drift: 0.04,
    drift_s: 60.0,
    fast: 0.03,
    burst_every_s: 30.0,
    burst_s: 2,
    burst_extra: 0.6,
};
pub(crate) const HOSTILE: Machine = Machine {
    name: "hostile",
    job: 0.15,
    restart: 0.02,
    drift: 0.10,
    drift_s: 45.0,
    fast: 0.05,
    burst_every_s: 12.0,
    burst_s: 3,
    burst_extra: 1.5,
};

/// Log deviation of a request in a second that is like every other.
const BODY: f64 = 0.5;
/// Share of the requests with a tail.
const TAIL_SHARE: f64 = 0.02;
/// Its mean: with it p99 deviates from cycle to cycle as on the page, by 10.7 % on a shared machine.
const TAIL_MEAN: f64 = 0.7;
/// How far a second of the fast noise tells the next one.
const FAST_MEMORY: f64 = 0.5;
/// Requests per second, of both variants together.
const PER_SECOND: usize = 200;
/// Seconds between two cycles, in which both are started anew.
const RESTART_S: u32 = 3;

/// Who gets a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routing {
    /// A balanced coin for each.
    Requests,
    /// First one, then the other, in an order by coin.
    Segments,
}

/// How variants are compared within one job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Design {
    pub(crate) cycles: usize,
    pub(crate) seconds: u32,
    pub(crate) routing: Routing,
    pub(crate) restarts: bool,
}

impl Design {
    /// The one that is recommended: restart cycles of 12 s, each request routed by itself. Its first 20 are a gate that looks once.
    pub(crate) const RECOMMENDED: Self = Self { cycles: 32, seconds: 12, routing: Routing::Requests, restarts: true };
}

/// The percentiles that are compared.
pub(crate) const PERCENTILES: [Percentile; 3] = [Percentile::P50, Percentile::P95, Percentile::P99];

/// Differences of the log percentiles, cycle by cycle, for each of [`PERCENTILES`].
pub(crate) type Differences = [Vec<f64>; 3];

/// One job on a machine.
struct Job {
    machine: Machine,
    rng: ChaCha8Rng,
    job: f64,
    drift: f64,
    fast: f64,
    burst_left_s: u32,
    requests: u64,
}

impl Job {
    fn start(machine: Machine, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |deviation: f64| deviation * rng.sample::<f64, _>(StandardNormal);
        let (job, drift, fast) = (normal(machine.job), normal(machine.drift), normal(machine.fast));
        let requests = rng.next_u64();
        Self { machine, rng, job, drift, fast, burst_left_s: 0, requests }
    }

    fn normal(&mut self) -> f64 {
        self.rng.sample(StandardNormal)
    }

    /// What the machine adds to every request of the next second.
    fn second(&mut self) -> f64 {
        let memory = (-1.0 / self.machine.drift_s).exp();
        self.drift = memory * self.drift + self.machine.drift * (1.0 - memory * memory).sqrt() * self.normal();
        self.fast =
            FAST_MEMORY * self.fast + self.machine.fast * (1.0 - FAST_MEMORY * FAST_MEMORY).sqrt() * self.normal();
        if self.burst_left_s > 0 {
            self.burst_left_s -= 1;
        } else if self.rng.random_bool(1.0 / self.machine.burst_every_s) {
            self.burst_left_s = self.machine.burst_s;
        }
        let burst = if self.burst_left_s > 0 { self.machine.burst_extra.ln_1p() } else { 0.0 };
        self.job + self.drift + self.fast + burst
    }

    fn restarted(&mut self) -> f64 {
        self.machine.restart * self.normal()
    }

    /// Bits for requests, of which there are millions. Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
    /// generators", 2014.
    fn bits(&mut self) -> u64 {
        self.requests = self.requests.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.requests;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Requests of one second, all slower by the same; `count` is a multiple of four.
    fn requests(&mut self, slower: f64, count: usize, into: &mut Vec<f64>) {
        for _ in 0..count / 4 {
            let mut bits = self.bits();
            for _ in 0..4 {
                into.push(slower + BODIES[(bits & 0xffff) as usize]);
                bits >>= 16;
            }
        }
    }
}

/// 65 536 equally likely requests of a second that is like every other: every sixteenth of a million, in order.
static BODIES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut body = || -> f64 {
        let tail: f64 = if rng.random_bool(TAIL_SHARE) { rng.sample(Exp1) } else { 0.0 };
        BODY * rng.sample::<f64, _>(StandardNormal) + TAIL_MEAN * tail
    };
    let mut all: Vec<f64> = (0..1 << 20).map(|_| body()).collect();
    all.sort_by(f64::total_cmp);
    all.into_iter().skip(8).step_by(16).collect()
});

/// Log percentiles of some log latencies.
fn percentiles(values: &mut [f64]) -> [f64; 3] {
    PERCENTILES.map(|percentile| {
        let rank = rank(percentile.share(), values.len() as u64) as usize;
        *values.select_nth_unstable_by(rank - 1, f64::total_cmp).1
    })
}

/// The log latencies of both variants in every cycle, of which the second is slower by `effect` (0.1 for 10 %).
pub(crate) fn cycles(machine: Machine, design: Design, effect: f64, seed: u64) -> Vec<[Vec<f64>; 2]> {
    let mut job = Job::start(machine, seed);
    let mut offsets = [job.restarted(), job.restarted()];
    let cycle = |_| {
        if design.restarts {
            offsets = [job.restarted(), job.restarted()];
            for _ in 0..RESTART_S {
                job.second();
            }
        }
        let slower = [offsets[0], offsets[1] + effect.ln_1p()];
        let mut both = [Vec::new(), Vec::new()];
        match design.routing {
            Routing::Requests => (0..design.seconds).for_each(|_| {
                let second = job.second();
                (0..2).for_each(|side| job.requests(second + slower[side], PER_SECOND / 2, &mut both[side]));
            }),
            Routing::Segments => {
                let first = usize::from(job.rng.random_bool(0.5));
                for side in [first, 1 - first] {
                    for _ in 0..design.seconds / 2 {
                        let second = job.second();
                        job.requests(second + slower[side], PER_SECOND, &mut both[side]);
                    }
                }
            }
        }
        both
    };
    (0..design.cycles).map(cycle).collect()
}

/// The differences that a gate of this design sees of equal variants. What is slower by a factor has its logarithm more in each.
pub(crate) fn differences(machine: Machine, design: Design, seed: u64) -> Differences {
    let mut found: Differences = Default::default();
    for [mut baseline, mut candidate] in cycles(machine, design, 0.0, seed) {
        let (baseline, candidate) = (percentiles(&mut baseline), percentiles(&mut candidate));
        (0..3).for_each(|index| found[index].push(candidate[index] - baseline[index]));
    }
    found
}

/// Log percentiles of a job of its own that runs one variant for so many seconds.
pub(crate) fn job(machine: Machine, seconds: u32, effect: f64, seed: u64) -> [f64; 3] {
    let mut job = Job::start(machine, seed);
    let slower = job.restarted() + effect.ln_1p();
    let mut values = Vec::new();
    for _ in 0..seconds {
        let second = job.second();
        job.requests(second + slower, PER_SECOND, &mut values);
    }
    percentiles(&mut values)
}

/// Regress, pass, and neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Regress,
    Pass,
    Neither,
}

/// A worsening, the margin that it is tested against, and the chance of error of a look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) effect: f64,
    pub(crate) margin: f64,
    pub(crate) alpha: f64,
}

impl Question {
    /// The answer of one look at the differences that equal variants would have.
    pub(crate) fn answer(self, differences: &[f64]) -> Answer {
        let beyond = self.effect.ln_1p() - self.margin.ln_1p();
        let test = SignedRank::of(&differences.iter().map(|difference| difference + beyond).collect::<Vec<_>>());
        match test {
            test if test.p_greater < self.alpha => Answer::Regress,
            test if test.p_less < self.alpha => Answer::Pass,
            _ => Answer::Neither,
        }
    }

    /// The answer of a gate that looks several times, and the cycles that it took.
    pub(crate) fn sequential(self, differences: &[f64]) -> (Answer, usize) {
        let answers = Plan::Sequential.looks().iter().map(|look| (self.answer(&differences[..*look]), *look));
        let most = Plan::Sequential.most_cycles();
        answers.into_iter().find(|(answer, _)| *answer != Answer::Neither).unwrap_or((Answer::Neither, most))
    }
}
