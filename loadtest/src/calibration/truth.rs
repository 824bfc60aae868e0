//! What a server that stalls on schedule does to its users, by formula: what a true meter must say. Pure.
//!
//! Source: measurement.md G. A quantile is taken over evenly spaced arrivals and whole periods.

/// A server that takes `base_s` for an answer, and is frozen for the first `frozen_s` of every `period_s`. All in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// Time of an answer.
    pub base_s: f64,
    /// Time for which nothing is answered.
    pub frozen_s: f64,
    /// From the start of one stall to the start of the next.
    pub period_s: f64,
}

impl Stall {
    /// The p-quantile of the response time when every request is taken at once, whatever its number.
    #[must_use]
    pub fn response_s(&self, p: f64) -> f64 {
        self.queued_response_s(0.0, p)
    }

    /// The p-quantile of the response time when `rate` requests per second share one connection, first come first served.
    ///
    /// Valid while the queue of one stall is gone before the next.
    #[must_use]
    pub fn queued_response_s(&self, rate: f64, p: f64) -> f64 {
        let free = (1.0 - rate * self.base_s) * self.period_s;
        let affected = self.frozen_s / free;
        if p <= 1.0 - affected { self.base_s } else { self.base_s + self.frozen_s - free * (1.0 - p) }
    }

    /// The p-quantile of the service time that `connections` see when they share `rate` requests per second: each has one slow answer
    /// per period, and everything that waited for it is hidden.
    #[must_use]
    pub fn shared_service_s(&self, rate: f64, connections: u32, p: f64) -> f64 {
        self.service_s(f64::from(connections) / (rate * self.period_s), p)
    }

    /// The p-quantile that a sender reports which asks again as soon as it has its answer.
    #[must_use]
    pub fn closed_loop_s(&self, p: f64) -> f64 {
        self.service_s(1.0 / ((self.period_s - self.frozen_s) / self.base_s + 1.0), p)
    }

    fn service_s(&self, slow_share: f64, p: f64) -> f64 {
        if p <= 1.0 - slow_share { self.base_s } else { self.base_s + self.frozen_s }
    }

    /// How long the server stays frozen, at an instant this long after the start of the first stall.
    #[must_use]
    pub fn frozen_for_s(&self, at_s: f64) -> f64 {
        (self.frozen_s - at_s.rem_euclid(self.period_s)).max(0.0)
    }
}

/// How far a quantile may be from the truth, in seconds: two arrivals, 3 ms or 0.2 %, whichever is most.
#[must_use]
pub fn tolerance_s(rate: f64, truth_s: f64) -> f64 {
    (2.0 / rate).max(0.003).max(0.002 * truth_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const QUANTILES: [f64; 3] = [0.95, 0.99, 0.999];

    fn stall(base_s: f64, frozen_s: f64, period_s: f64) -> Stall {
        Stall { base_s, frozen_s, period_s }
    }

    #[track_caller]
    fn check(seen: [f64; 3], expected: [f64; 3], within: f64) {
        let is_near = seen.iter().zip(expected).all(|(seen, expected)| (seen - expected).abs() <= within);
        assert!(is_near, "{seen:?} is not {expected:?}");
    }

    #[test]
    fn the_formulas_give_the_published_values() {
        let pause = |stall: Stall| QUANTILES.map(|p| stall.response_s(p));
        check(pause(stall(0.002, 0.2, 2.0)), [0.102, 0.182, 0.2], 1e-9);
        check(pause(stall(0.001, 0.05, 1.0)), [0.001, 0.041, 0.05], 1e-9);
        let fifo = |rate, stall: Stall| QUANTILES.map(|p| stall.queued_response_s(rate, p));
        check(fifo(200.0, stall(0.002, 0.2, 2.0)), [0.142, 0.190, 0.2008], 1e-9);
        let busy = stall(0.001, 0.1, 2.0);
        let seen = [0.9, 0.95, 0.99].map(|p| busy.queued_response_s(700.0, p));
        check(seen, [0.041, 0.071, 0.095], 1e-9);
        let closed = stall(0.002, 0.2, 2.0);
        check(QUANTILES.map(|p| closed.closed_loop_s(p)), [0.002, 0.002, 0.202], 1e-9);
    }

    /// Requests evenly spaced, one after the other on each of some connections: response and service times, in order.
    fn simulate(stall: Stall, rate: f64, connections: usize, periods: u32) -> (Vec<f64>, Vec<f64>) {
        let mut free_at = vec![0.0_f64; connections];
        let mut times = (Vec::new(), Vec::new());
        for k in 0..(rate * stall.period_s * f64::from(periods)).round() as usize {
            let due = k as f64 / rate;
            let next = (0..connections).min_by(|a, b| free_at[*a].total_cmp(&free_at[*b])).unwrap();
            let sent = due.max(free_at[next]);
            free_at[next] = sent + stall.frozen_for_s(sent) + stall.base_s;
            times.0.push(free_at[next] - due);
            times.1.push(free_at[next] - sent);
        }
        times.0.sort_by(f64::total_cmp);
        times.1.sort_by(f64::total_cmp);
        times
    }

    fn quantile(sorted: &[f64], p: f64) -> f64 {
        sorted[(p * sorted.len() as f64 - 1e-9).ceil() as usize - 1]
    }

    #[rstest]
    #[case::many_connections(1_000.0, 300)]
    #[case::one_connection(100.0, 1)]
    fn the_formulas_agree_with_a_simulation(#[case] rate: f64, #[case] connections: u32) {
        let stall = stall(0.002, 0.2, 2.0);
        let (response, service) = simulate(stall, rate, connections as usize, 10);
        for p in [0.5, 0.75, 0.9, 0.95, 0.99, 0.999] {
            let (response_truth, service_truth) = match connections {
                1 => (stall.queued_response_s(rate, p), stall.shared_service_s(rate, 1, p)),
                _ => (stall.response_s(p), stall.response_s(p)),
            };
            for (seen, truth) in [(quantile(&response, p), response_truth), (quantile(&service, p), service_truth)] {
                assert!((seen - truth).abs() <= 1.0 / rate, "p {p}: {seen} is not {truth}");
            }
        }
    }

    #[test]
    fn a_server_is_frozen_at_the_start_of_every_period() {
        let stall = stall(0.002, 0.2, 2.0);
        for (at, frozen) in [(0.0, 0.2), (0.15, 0.05), (0.2, 0.0), (1.9, 0.0), (4.1, 0.1), (-0.01, 0.0)] {
            assert!((stall.frozen_for_s(at) - frozen).abs() < 1e-9, "at {at}");
        }
    }

    #[test]
    fn the_tolerance_is_two_arrivals_three_milliseconds_or_a_five_hundredth() {
        assert_eq!(tolerance_s(100.0, 0.1), 0.02);
        assert_eq!(tolerance_s(1_000.0, 0.1), 0.003);
        assert_eq!(tolerance_s(1_000.0, 3.0), 0.006);
    }
}
