//! A server whose capacity is known: one at a time, first come first served, with random times between arrivals and of service (M/M/1).
//!
//! Its response times are exponential with `μ − λ`, so it keeps a quantile p within T up to the rate `μ + ln(1−p)/T`.
use reports::{
    capacity::{Level, Observed, Trial},
    proportion::Tally,
};

/// Seconds before the first window, for the queue to fill.
const WARM_UP_S: f64 = 5.0;

/// The server, and its luck.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// What it can do, in requests per second.
    pub(crate) service_per_second: f64,
    /// Standard deviation of that from trial to trial, as a share: what a machine does on some days and not on others.
    pub(crate) day_share: f64,
    pub(crate) level: Level,
    state: u64,
}

impl Server {
    /// The server of measurement.md D2: 1000/s, p99 ≤ 50 ms, 2 % from trial to trial.
    pub(crate) fn new(seed: u64) -> Self {
        let level = Level { quantile: 0.99, limit_ns: 50_000_000 };
        Self { service_per_second: 1_000.0, day_share: 0.02, level, state: seed }
    }

    /// The highest rate that keeps the level on an average day: 907.9/s.
    pub(crate) fn capacity(&self) -> f64 {
        self.service_per_second + self.level.allowed_share().ln() / (self.level.limit_ns as f64 / 1e9)
    }

    /// Where a search may begin: between 400 and 600/s, by chance.
    pub(crate) fn start(&mut self) -> f64 {
        400.0 + 200.0 * self.uniform()
    }

    /// What a trial would see.
    pub(crate) fn run(&mut self, trial: &Trial) -> Observed {
        let service = self.service_per_second * (1.0 + self.day_share * self.normal());
        let length_s = trial.length.as_secs_f64();
        let limit_s = self.level.limit_ns as f64 / 1e9;
        let mut windows = vec![Tally::default(); trial.windows];
        let (mut due_s, mut free_s) = (0.0, 0.0_f64);
        loop {
            due_s += self.exponential() / trial.rate_per_second;
            if due_s >= WARM_UP_S + length_s {
                return Observed::Measured { windows, is_growing: false };
            }
            free_s = free_s.max(due_s) + self.exponential() / service;
            if due_s >= WARM_UP_S {
                let index = ((due_s - WARM_UP_S) / length_s * trial.windows as f64) as usize;
                let window = &mut windows[index.min(trial.windows - 1)];
                window.total += 1;
                window.hits += u64::from(free_s - due_s > limit_s);
            }
        }
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Source: Box and Muller, Ann. Math. Statist. 29 (1958).
    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// From 0 to below 1. Source: SplitMix64, Steele, Lea and Flood, OOPSLA 2014; half a billion of them are needed quickly.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
