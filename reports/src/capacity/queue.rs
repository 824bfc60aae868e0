//! Queues in closed form: how long requests wait and stay when replicas share one queue, and when each has its own.
//!
//! ```text
//! one queue, c servers (M/M/c)      ideal balancing: no server is idle while a request waits
//! c queues, one server each         random balancing: requests wait behind others while servers are idle
//! ```
//! A real balancer lies between the two. Source: measurement.md D4; Kleinrock, Queueing Systems 1, 3.5 (Erlang C) and 3.6 (Erlang B).
use serde::Serialize;

/// Why a queue has no answer.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// A figure is not a positive, finite number (an arrival rate may be 0), or there is no server.
    #[error("a queue needs at least one server, a positive service rate and a finite arrival rate of 0 or more")]
    Meaningless,
    /// More work arrives than the servers can do: the queue grows without end.
    #[error("{arrival_per_second}/s are more than {servers} servers of {service_per_second}/s each can do")]
    Unstable {
        /// Arrivals per second.
        arrival_per_second: f64,
        /// Servers.
        servers: u32,
        /// What one of them can do, in requests per second.
        service_per_second: f64,
    },
}

/// A stable system of equal servers with exponential times between arrivals and of service.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Queue {
    servers: u32,
    arrival_per_second: f64,
    service_per_second: f64,
}

impl Queue {
    /// Servers of equal rate, and what arrives at all of them together.
    ///
    /// # Errors
    /// When a figure makes no sense, or more arrives than the servers can do.
    pub fn new(servers: u32, arrival_per_second: f64, service_per_second: f64) -> Result<Self, Error> {
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        if servers == 0
            || !is_positive(service_per_second)
            || !(arrival_per_second == 0.0 || is_positive(arrival_per_second))
        {
            return Err(Error::Meaningless);
        }
        if arrival_per_second >= f64::from(servers) * service_per_second {
            return Err(Error::Unstable { arrival_per_second, servers, service_per_second });
        }
        Ok(Self { servers, arrival_per_second, service_per_second })
    }

    /// The share of their time that servers work, from 0 to below 1.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.arrival_per_second / (f64::from(self.servers) * self.service_per_second)
    }

    /// The chance of a request to have to wait in the shared queue.
    #[must_use]
    pub fn waiting_chance(&self) -> f64 {
        erlang_c(self.servers, self.arrival_per_second / self.service_per_second)
    }

    /// The chance that a request is in the system longer than a time, with one shared queue.
    ///
    /// With θ = cμ − λ: `(1−C)·e^{−μt} + C·(θ·e^{−μt} − μ·e^{−θt})/(θ−μ)`, and its limit where θ = μ.
    #[must_use]
    pub fn shared_tail(&self, seconds: f64) -> f64 {
        let (mu, waits) = (self.service_per_second, self.waiting_chance());
        let theta = self.spare_per_second();
        let served = (-mu * seconds).exp();
        // (θe^{−μt} − μe^{−θt})/(θ−μ) = e^{−μt} + μ·(e^{−μt} − e^{−θt})/(θ−μ), which must not lose its digits where θ is near μ.
        let apart = theta - mu;
        let gained = match apart * seconds {
            0.0 => served * seconds,
            small if small.abs() < 1.0 => served * -(-small).exp_m1() / apart,
            _ => (served - (-theta * seconds).exp()) / apart,
        };
        served + waits * mu * gained
    }

    /// The time in seconds in which this share of the requests is through, with one shared queue.
    #[must_use]
    pub fn shared_quantile(&self, quantile: f64) -> f64 {
        let left = 1.0 - quantile.clamp(0.0, 1.0);
        if left >= 1.0 {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, 1.0 / self.service_per_second);
        while self.shared_tail(high) > left && high < f64::MAX / 4.0 {
            high *= 2.0;
        }
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if self.shared_tail(middle) > left { low = middle } else { high = middle }
        }
        high
    }

    /// The same where each request goes to a server by chance and waits there: c independent M/M/1, `−ln(1−p)/(μ − λ/c)`.
    #[must_use]
    pub fn random_quantile(&self, quantile: f64) -> f64 {
        let spare = self.spare_per_second() / f64::from(self.servers);
        -(1.0 - quantile.clamp(0.0, 1.0)).ln() / spare
    }

    /// About how long requests wait on average, in seconds, when times scatter otherwise than exponentially: `C/(cμ−λ)·(Ca²+Cs²)/2`.
    ///
    /// Both arguments are squared coefficients of variation: 1 for exponential times, 0 for equal ones. For the mean only; it is
    /// 13 to 18 % too small where service scatters much (Cs² = 4). Source: Allen and Cunneen, by measurement.md D4.
    #[must_use]
    pub fn mean_wait(&self, arrival_scatter: f64, service_scatter: f64) -> f64 {
        self.waiting_chance() / self.spare_per_second() * f64::midpoint(arrival_scatter, service_scatter)
    }

    fn spare_per_second(&self) -> f64 {
        f64::from(self.servers) * self.service_per_second - self.arrival_per_second
    }
}

/// Erlang's B: the share of requests turned away by `servers` servers without a queue under an offered load in erlangs.
///
/// By recursion, `B_k = aB_{k−1}/(k + aB_{k−1})`, which neither overflows nor cancels.
#[must_use]
pub fn erlang_b(servers: u32, offered: f64) -> f64 {
    (1..=servers).fold(1.0, |blocked, server| offered * blocked / (f64::from(server) + offered * blocked))
}

/// Erlang's C: the chance to wait for one of `servers` servers under an offered load in erlangs; 1 where the load is too much.
#[must_use]
pub fn erlang_c(servers: u32, offered: f64) -> f64 {
    let utilisation = offered / f64::from(servers);
    if utilisation >= 1.0 {
        return 1.0;
    }
    let blocked = erlang_b(servers, offered);
    blocked / (1.0 - utilisation * (1.0 - blocked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    #[test]
    fn erlang_is_as_published() {
        // measurement.md D4.
        for (servers, offered, expected) in [
            (1, 0.7, 0.7),
            (2, 1.0, 1.0 / 3.0),
            (4, 3.2, 0.596_432),
            (10, 8.0, 0.409_180),
            (20, 18.0, 0.550_769),
            (100, 90.0, 0.216_940),
        ] {
            near(erlang_c(servers, offered), expected, 5e-7);
        }
        // Tables of Erlang B: 5 servers at 1 % carry 1.3608 erlangs, 10 carry 4.4612, 100 carry 84.064.
        for (servers, offered) in [(5, 1.360_8), (10, 4.461_2), (100, 84.064)] {
            near(erlang_b(servers, offered), 0.01, 5e-6);
        }
        assert_eq!((erlang_b(0, 3.0), erlang_b(4, 0.0), erlang_c(3, 3.0), erlang_c(2, 0.0)), (1.0, 0.0, 1.0, 0.0));
        assert!(erlang_b(100_000, 90_000.0) >= 0.0 && erlang_b(100_000, 110_000.0) > 0.09, "no overflow");
    }

    #[test]
    fn the_p99_of_replicas_depends_on_the_balancer() {
        // measurement.md D4: 8 servers of 100/s at 80 %: 51.5 ms with one queue, 230 ms by chance; 20 at 90 %: 50.4 ms.
        let eight = Queue::new(8, 640.0, 100.0).unwrap();
        near(eight.shared_quantile(0.99), 0.051_5, 5e-5);
        near(eight.random_quantile(0.99), 0.230, 5e-4);
        near(Queue::new(20, 1_800.0, 100.0).unwrap().shared_quantile(0.99), 0.050_4, 5e-5);
    }

    #[test]
    fn one_server_is_the_textbook_queue_however_it_is_asked() {
        // M/M/1: the sojourn is exponential with μ − λ.
        for arrival in [0.0, 1.0, 50.0, 99.99] {
            let one = Queue::new(1, arrival, 100.0).unwrap();
            for quantile in [0.5, 0.99, 0.999] {
                let truth = -(1.0_f64 - quantile).ln() / (100.0 - arrival);
                near(one.shared_quantile(quantile), truth, 1e-9 * truth.max(1.0));
                near(one.random_quantile(quantile), truth, 1e-12);
            }
        }
        assert_eq!(Queue::new(3, 10.0, 5.0).unwrap().shared_quantile(0.0), 0.0);
    }

    #[test]
    fn the_tail_is_a_tail_also_where_its_formula_divides_by_nothing() {
        // θ = μ at c = 3, λ = 200, μ = 100; the tail just beside it must be the same.
        let (at, beside) = (Queue::new(3, 200.0, 100.0).unwrap(), Queue::new(3, 200.0 + 1e-6, 100.0).unwrap());
        for step in 0..40 {
            let seconds = f64::from(step) * 0.004;
            near(at.shared_tail(seconds), beside.shared_tail(seconds), 1e-8);
            assert!(at.shared_tail(seconds + 0.004) < at.shared_tail(seconds));
        }
        near(at.shared_tail(0.0), 1.0, 1e-12);
        near(at.utilisation(), 2.0 / 3.0, 1e-12);
    }

    #[test]
    fn the_mean_wait_is_that_of_allen_and_cunneen() {
        // measurement.md D4, in milliseconds; with Ca² = 1, Cs² = 1 it is the exact M/M/c: C/(cμ−λ).
        let four = Queue::new(4, 320.0, 100.0).unwrap();
        near(four.mean_wait(1.0, 0.25) * 1e3, 4.66, 5e-3);
        near(four.mean_wait(1.0, 4.0) * 1e3, 18.6, 5e-2);
        near(four.mean_wait(1.0, 1.0), four.waiting_chance() / 80.0, 1e-15);
        near(Queue::new(10, 900.0, 100.0).unwrap().mean_wait(1.0, 4.0) * 1e3, 16.7, 5e-2);
    }

    #[test]
    fn a_queue_that_would_grow_for_ever_is_refused() {
        assert!(matches!(Queue::new(2, 200.0, 100.0), Err(Error::Unstable { .. })));
        for (servers, arrival, service) in
            [(0, 1.0, 1.0), (1, -1.0, 1.0), (1, 1.0, 0.0), (1, f64::NAN, 1.0), (1, 1.0, f64::INFINITY)]
        {
            assert_eq!(Queue::new(servers, arrival, service), Err(Error::Meaningless), "{servers} {arrival} {service}");
        }
    }
}
