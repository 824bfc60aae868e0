//! How much was lost: how deep the service to users fell, and how many good answers it cost them.
use super::{Band, Served};
use schemars::JsonSchema;
use serde::Serialize;

/// Seconds that the depth is averaged over. Source: measurement.md E.
const ROLLING_SECONDS: usize = 5;

/// What became of the requests from a fault's beginning until the journey was back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Loss {
    /// Largest fall of the share of requests answered well and in time, as a part of the usual one: `1 − min(mean of 5 s of Q) / Q̄`;
    /// between 0 and 1. `None` when fewer than five seconds had requests.
    pub depth: Option<f64>,
    /// Good answers in time that there would have been, had all been as usual: `Σ max(0, Q̄ − Q(t))·λ(t)`.
    pub lost: f64,
    /// What was kept of the good answers: `1 − lost / Σ λ(t)·Q̄`; between 0 and 1, `None` without a request.
    pub kept: Option<f64>,
    /// Requests in this time.
    pub total: u64,
    /// Those without a good answer in time.
    pub bad: u64,
    /// Those with a good answer, however late.
    pub good: u64,
    /// Of the good answers, those that are degraded and say so.
    pub degraded: u64,
    /// Answers that cannot be right, or that do not say that they are degraded.
    pub wrong: u64,
}

impl Loss {
    /// Adds up the seconds from `from` to before `to`; the depth looks at five of them at least, if there are so many before `seen_to`.
    #[must_use]
    pub fn between(seconds: &[Served], band: &Band, (from, to): (usize, usize), seen_to: usize) -> Self {
        let within = |to: usize| seconds.iter().take(to).skip(from).filter(|second| second.total > 0);
        let shares: Vec<f64> = within(to.max(from + ROLLING_SECONDS).min(seen_to)).filter_map(Served::share).collect();
        let means = shares.windows(ROLLING_SECONDS).map(|window| window.iter().sum::<f64>() / ROLLING_SECONDS as f64);
        let lowest = means.min_by(f64::total_cmp);
        let mut loss =
            Self { depth: lowest.map(|lowest| (1.0 - lowest / band.usual_share).clamp(0.0, 1.0)), ..Self::default() };
        let mut expected = 0.0;
        for second in within(to) {
            let usual = band.usual_share * f64::from(second.total);
            expected += usual;
            loss.lost += (usual - f64::from(second.in_time)).max(0.0);
            loss.total += u64::from(second.total);
            loss.bad += u64::from(second.total - second.in_time);
            loss.good += u64::from(second.good);
            loss.degraded += u64::from(second.degraded);
            loss.wrong += u64::from(second.wrong);
        }
        loss.kept = (expected > 0.0).then(|| 1.0 - loss.lost / expected);
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAND: Band = Band {
        second_count: 60,
        per_second: 10.0,
        usual_share: 0.95,
        share_bound: 0.9,
        failing: 0.01,
        lowest_share: 0.9,
        usual_p95_ns: None,
        highest_p95_ns: None,
        stray_count: 0,
    };

    fn served(in_time: u32) -> Served {
        Served { total: 20, in_time, good: 20, degraded: 4, wrong: 0, p95_ns: 1 }
    }

    #[test]
    fn the_area_below_the_usual_share_is_what_was_lost() {
        // Ten seconds of 20 requests with 5 in time each, the rest as usual: 10·(19 − 5) = 140 lost of 15·19 = 285.
        let seconds: Vec<Served> = (0..30).map(|at| served(if (10..20).contains(&at) { 5 } else { 19 })).collect();
        let loss = Loss::between(&seconds, &BAND, (8, 23), 30);
        assert!((loss.lost - 140.0).abs() < 1e-9, "{loss:?}");
        assert!((loss.kept.unwrap() - (1.0 - 140.0 / 285.0)).abs() < 1e-12);
        assert!((loss.depth.unwrap() - (1.0 - 0.25 / 0.95)).abs() < 1e-12);
        assert_eq!((loss.total, loss.bad, loss.good, loss.degraded, loss.wrong), (300, 155, 300, 60, 0));
    }

    #[test]
    fn a_short_dip_is_averaged_over_five_seconds_and_better_seconds_make_up_for_nothing() {
        let mut seconds = vec![served(20); 12];
        seconds[3] = served(0);
        let loss = Loss::between(&seconds, &BAND, (3, 4), 12);
        assert!((loss.depth.unwrap() - (1.0 - 0.8 / 0.95)).abs() < 1e-12, "{loss:?}");
        let whole = Loss::between(&seconds, &BAND, (0, 12), 12);
        assert!((whole.lost - 19.0).abs() < 1e-9, "seconds above the usual share count as none lost: {whole:?}");
        assert_eq!(Loss::between(&seconds, &BAND, (8, 12), 12).depth, None, "four seconds");
        assert_eq!(Loss::between(&seconds, &BAND, (12, 20), 20), Loss::default());
    }
}
