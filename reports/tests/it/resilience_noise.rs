//! Courses that are nothing but noise: how often the band refuses them, and how often something is seen in them that is not there.
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, LogNormal, Poisson, StandardNormal};
use reports::resilience::{Band, NoBand, Place, Served, first_run};

/// What the requests of a journey are like.
struct Noise {
    per_second: f64,
    failing: f64,
    /// How much a second's latency resembles that of the one before (autoregressive), and how far seconds stray by themselves.
    resembling: f64,
    straying: f64,
}

/// Seconds of independent requests with log-normal latencies around a level that wanders.
fn seconds(seed: u64, noise: &Noise, count: usize) -> Vec<Served> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let arrivals = Poisson::new(noise.per_second).unwrap();
    let latency = LogNormal::new(120_f64.ln(), 0.35).unwrap();
    let mut level = 0.0;
    let second = |random: &mut ChaCha8Rng, level: &mut f64| {
        let step: f64 = StandardNormal.sample(random);
        *level = noise.resembling * *level + (1.0 - noise.resembling.powi(2)).sqrt() * noise.straying * step;
        let total = arrivals.sample(random) as u32;
        let good = (0..total).filter(|_| !random.random_bool(noise.failing)).count();
        let mut values: Vec<f64> = (0..good).map(|_| latency.sample(random) * level.exp()).collect();
        values.sort_by(f64::total_cmp);
        let p95_ms = values.get((0.95 * good as f64 - 1e-9).ceil() as usize - usize::from(good > 0)).unwrap_or(&0.0);
        Served { total, in_time: good as u32, good: good as u32, p95_ns: (p95_ms * 1e6) as u64, ..Served::default() }
    };
    (0..count).map(|_| second(&mut random, &mut level)).collect()
}

/// Of 100 seeds, those whose band is refused by its own A/A test, and those in whose next five minutes something is seen.
fn false_alarms(noise: &Noise) -> (usize, usize) {
    let judged = (0..100).map(|seed| {
        let seconds = seconds(seed, noise, 120 + 300);
        match Band::of(&seconds[..120]) {
            Err(NoBand::Unsteady { .. }) => (1, 0),
            Err(other) => panic!("{other:?}"),
            Ok(band) => (0, usize::from(first_run(&seconds, &band, (120, 420), Place::Outside).is_some())),
        }
    });
    judged.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[test]
fn noise_is_seldom_refused_and_seldom_taken_for_an_impact() {
    let cases = [(4.0, 0.05, 0.3, 0.1), (12.0, 0.002, 0.3, 0.1), (12.0, 0.05, 0.3, 0.5), (30.0, 0.002, 0.0, 0.0)];
    for (per_second, failing, resembling, straying) in cases {
        let (refused, alarms) = false_alarms(&Noise { per_second, failing, resembling, straying });
        let case = format!("{per_second}/s, {failing} failing, resembling by {resembling}, straying by {straying}");
        // 30 seconds with a chance of 1 % beyond either bound: more than 2 in 2.2 % of the cases. 3 in a row within 300 s, with the
        // 17 % per hour that measurement.md E gives for each bound: 2.8 %.
        assert!(refused <= 8, "{case}: {refused} of 100 refused");
        assert!(alarms <= 8, "{case}: {alarms} of 100 false alarms");
    }
}
