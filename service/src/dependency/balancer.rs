//! Which instance of a dependency takes the next attempt.
//!
//! ```text
//!              fails 3 times in a row, takes a whole attempt timeout,
//!              or answers 5 times in a row much slower than its peers
//!   Usable ───────────────────────────────────────────────────────────▶ Ejected ◀──┐
//!      ▲     (but never the last one that is usable)                       │       │ bad: twice as long
//!      └───────────────────────────── good ◀── probe, when the time is up ◀┴───────┘
//! ```
//!
//! Among the usable ones, two are drawn and the cheaper one is taken: attempts in progress × recent latency. A probe is a copy
//! of a read; nobody waits for it. With one instance nothing is ever ejected.
//! Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{Failure, Limits, latency::Latency};

/// Failures in a row that eject, unless the breaker opens after fewer.
const FAILURES_TO_EJECT: u32 = 3;
/// Slow answers in a row that eject.
const SLOW_TO_EJECT: u32 = 5;
/// An answer is slow when it takes this many times what the fastest peer takes, and a little more.
const SLOW_RATIO: f64 = 3.0;
const SLOW_SLACK_S: f64 = 0.05;
/// The first ejection lasts this part of the longest one, which is the open time of the breaker.
const FIRST_EJECTION_SHARE: u32 = 12;
/// Latency of which nothing is known, in seconds: low, so that new instances are tried.
const LATENCY_MIN_S: f64 = 0.001;

/// The instances of one dependency.
#[derive(Debug)]
pub(crate) struct Balancer {
    name: &'static str,
    failures_to_eject: u32,
    attempt_timeout: Duration,
    longest_ejection: Duration,
    instances: Mutex<Vec<Instance>>,
}

#[derive(Debug, Default)]
struct Instance {
    in_flight: u32,
    latency: Option<Latency>,
    /// In a row.
    failures: u32,
    /// In a row.
    slow: u32,
    ejection: Option<Ejection>,
    /// One after the other, without a good while between them.
    ejections: u32,
    restored: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Ejection {
    until: Instant,
    is_probed: bool,
}

/// One attempt at one instance; dropping it says nothing about the instance.
#[derive(Debug)]
pub(crate) struct Turn {
    balancer: Arc<Balancer>,
    pub(crate) instance: usize,
    started: Instant,
    is_probe: bool,
    is_over: bool,
}

/// What an outcome means for the dependency as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is the dependency's own: there is no other usable instance, or it is good.
    Whole,
    /// Only this instance failed; another one is usable.
    InstanceOnly,
}

impl Balancer {
    pub(crate) fn new(name: &'static str, count: usize, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            name,
            failures_to_eject: FAILURES_TO_EJECT.min(limits.failures_to_open),
            attempt_timeout: limits.attempt_timeout,
            longest_ejection: limits.open_for,
            instances: Mutex::new((0..count).map(|_| Instance::default()).collect()),
        })
    }

    /// The instance for the next attempt: not `avoided`, when there is another usable one.
    pub(crate) fn pick(self: &Arc<Self>, avoided: Option<usize>) -> Turn {
        let mut instances = self.lock();
        let usable: Vec<_> = (0..instances.len()).filter(|index| instances[*index].ejection.is_none()).collect();
        let others: Vec<_> = usable.iter().copied().filter(|index| Some(*index) != avoided).collect();
        let from = if others.is_empty() { usable } else { others };
        let now = Instant::now();
        let instance = match from.len() {
            // Never empty: the last usable one is not ejected.
            0 | 1 => from.first().copied().unwrap_or_default(),
            count => {
                let one = rand::random_range(0..count);
                let other = (one + rand::random_range(1..count)) % count;
                let (one, other) = (from[one], from[other]);
                if instances[other].cost(now) < instances[one].cost(now) { other } else { one }
            }
        };
        instances[instance].in_flight += 1;
        self.turn(instance, false)
    }

    /// A probe of an ejected instance whose time is up, when there is one that is not being probed.
    pub(crate) fn due_probe(self: &Arc<Self>) -> Option<Turn> {
        let mut instances = self.lock();
        let now = Instant::now();
        let is_due = |ejection: &Ejection| ejection.until <= now && !ejection.is_probed;
        let instance = instances.iter().position(|instance| instance.ejection.as_ref().is_some_and(is_due))?;
        instances[instance].ejection.as_mut()?.is_probed = true;
        instances[instance].in_flight += 1;
        Some(self.turn(instance, true))
    }

    /// Whether an instance other than this one is usable.
    pub(crate) fn has_other(&self, than: usize) -> bool {
        has_other(&self.lock(), than)
    }

    /// Whether each instance is ejected.
    pub(crate) fn ejected(&self) -> Vec<bool> {
        self.lock().iter().map(|instance| instance.ejection.is_some()).collect()
    }

    fn turn(self: &Arc<Self>, instance: usize, is_probe: bool) -> Turn {
        Turn { balancer: Arc::clone(self), instance, started: Instant::now(), is_probe, is_over: false }
    }

    /// An attempt of an ordinary call ended.
    fn ended(&self, index: usize, took: Duration, failure: Option<&Failure>) -> Meaning {
        let mut instances = self.lock();
        let is_ill = failure.is_some_and(Failure::counts_against_dependency);
        let is_slow = failure.is_none() && is_slow(&instances, index, took);
        let instance = &mut instances[index];
        instance.in_flight -= 1;
        if !is_ill || matches!(failure, Some(Failure::TimedOut)) {
            instance.learn(took);
        }
        // Outcomes of attempts from before the ejection say nothing new.
        if instance.ejection.is_some() {
            return if is_ill { Meaning::InstanceOnly } else { Meaning::Whole };
        }
        instance.slow = if is_slow { instance.slow + 1 } else { 0 };
        instance.failures = if is_ill { instance.failures + 1 } else { 0 };
        // One that takes all the time there is costs too much to be asked twice more.
        if matches!(failure, Some(Failure::TimedOut)) && took >= self.attempt_timeout {
            instance.failures = instance.failures.max(self.failures_to_eject);
        }
        self.eject_if_bad(&mut instances, index);
        if is_ill && has_other(&instances, index) { Meaning::InstanceOnly } else { Meaning::Whole }
    }

    /// A probe ended; whether the instance is usable again.
    fn probed(&self, index: usize, took: Duration, failure: Option<&Failure>) -> bool {
        let mut instances = self.lock();
        let is_ill = failure.is_some_and(Failure::counts_against_dependency);
        let is_good = !is_ill && !is_slow(&instances, index, took);
        instances[index].in_flight -= 1;
        if !is_good {
            self.eject(&mut instances, index);
            return false;
        }
        let now = Instant::now();
        let latency = Some(Latency::first(took, now));
        let Instance { in_flight, ejections, .. } = instances[index];
        instances[index] = Instance { in_flight, ejections, latency, restored: Some(now), ..Instance::default() };
        info!(dependency = self.name, instance = index, "instance {index} of `{}` is used again", self.name);
        // One that was kept because it was the last need not be kept any more.
        for other in 0..instances.len() {
            self.eject_if_bad(&mut instances, other);
        }
        true
    }

    fn eject_if_bad(&self, instances: &mut [Instance], index: usize) {
        let instance = &instances[index];
        let is_bad = instance.failures >= self.failures_to_eject || instance.slow >= SLOW_TO_EJECT;
        if is_bad && instance.ejection.is_none() && has_other(instances, index) {
            self.eject(instances, index);
        }
    }

    fn eject(&self, instances: &mut [Instance], index: usize) {
        let now = Instant::now();
        let instance = &mut instances[index];
        let was_good = instance.restored.is_some_and(|restored| now - restored > self.longest_ejection);
        instance.ejections = if was_good { 1 } else { instance.ejections.saturating_add(1) };
        let doublings = (instance.ejections - 1).min(16);
        let time = (self.longest_ejection / FIRST_EJECTION_SHARE * (1 << doublings)).min(self.longest_ejection);
        instance.ejection = Some(Ejection { until: now + time, is_probed: false });
        (instance.failures, instance.slow) = (0, 0);
        warn!(dependency = self.name, instance = index, "instance {index} of `{}` is not used for {time:?}", self.name);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    /// What one more attempt costs: the more are in progress and the slower it was, the more.
    fn cost(&self, now: Instant) -> f64 {
        let latency_s = self.latency.map_or(0.0, |latency| latency.faded_s(now));
        latency_s.max(LATENCY_MIN_S) * f64::from(self.in_flight + 1)
    }

    fn learn(&mut self, took: Duration) {
        let now = Instant::now();
        self.latency = Some(self.latency.map_or(Latency::first(took, now), |latency| latency.then(took, now)));
    }
}

fn has_other(instances: &[Instance], than: usize) -> bool {
    instances.iter().enumerate().any(|(index, instance)| index != than && instance.ejection.is_none())
}

/// Whether this is much slower than the fastest usable peer. Nothing is, as long as nothing is known of a peer.
fn is_slow(instances: &[Instance], index: usize, took: Duration) -> bool {
    let peers = instances.iter().enumerate().filter(|(other, peer)| *other != index && peer.ejection.is_none());
    let fastest_s = peers.filter_map(|(_, peer)| peer.latency).map(Latency::mean_s).reduce(f64::min);
    fastest_s.is_some_and(|fastest_s| took.as_secs_f64() > SLOW_RATIO * fastest_s + SLOW_SLACK_S)
}

impl Turn {
    /// An ordinary attempt ended.
    pub(crate) fn settle(mut self, failure: Option<&Failure>) -> Meaning {
        self.is_over = true;
        self.balancer.ended(self.instance, self.started.elapsed(), failure)
    }

    /// The attempt of a probe ended; whether the instance is usable again.
    pub(crate) fn settle_probe(mut self, failure: Option<&Failure>) -> bool {
        self.is_over = true;
        self.balancer.probed(self.instance, self.started.elapsed(), failure)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut instances = self.balancer.lock();
        let instance = &mut instances[self.instance];
        instance.in_flight -= 1;
        if let (true, Some(ejection)) = (self.is_probe, &mut instance.ejection) {
            ejection.is_probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::time::advance;

    use super::*;

    const LIMITS: Limits = Limits {
        concurrent: 10,
        attempt_timeout: Duration::from_secs(2),
        failures_to_open: 5,
        open_for: Duration::from_secs(60),
    };
    const BAD: Failure = Failure::Status { status: 500 };

    fn of(count: usize) -> Arc<Balancer> {
        Balancer::new("flights", count, LIMITS)
    }

    /// An attempt at this very instance.
    fn at(balancer: &Arc<Balancer>, instance: usize) -> Turn {
        balancer.lock()[instance].in_flight += 1;
        balancer.turn(instance, false)
    }

    async fn answers(balancer: &Arc<Balancer>, instance: usize, ms: u64) {
        let turn = at(balancer, instance);
        advance(Duration::from_millis(ms)).await;
        assert_eq!(turn.settle(None), Meaning::Whole);
    }

    fn fails(balancer: &Arc<Balancer>, instance: usize, times: u32) -> Vec<Meaning> {
        (0..times).map(|_| at(balancer, instance).settle(Some(&BAD))).collect()
    }

    /// Probes until one is due, the time it took, and what it said.
    async fn probe(balancer: &Arc<Balancer>, failure: Option<&Failure>) -> (u64, bool) {
        let started = Instant::now();
        loop {
            if let Some(probe) = balancer.due_probe() {
                assert!(balancer.due_probe().is_none(), "one probe at a time");
                return (started.elapsed().as_secs(), probe.settle_probe(failure));
            }
            assert!(started.elapsed() < Duration::from_secs(600), "no probe is due");
            advance(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_instance_is_never_ejected_and_speaks_for_the_whole() {
        let balancer = of(1);
        assert_eq!(fails(&balancer, 0, 20), [Meaning::Whole; 20]);
        let turn = balancer.pick(Some(0));
        advance(Duration::from_secs(2)).await;
        assert_eq!((turn.instance, turn.settle(Some(&Failure::TimedOut))), (0, Meaning::Whole));
        assert_eq!((balancer.ejected(), balancer.has_other(0)), (vec![false], false));
        assert!(balancer.due_probe().is_none());
    }

    #[rstest]
    #[case("the faster", [10, 100], [0, 0], 0)]
    #[case("the one with less to do", [100, 100], [1, 0], 1)]
    #[case("the slower, when the faster has much to do", [10, 100], [10, 0], 1)]
    #[case("the faster, as long as that is worth it", [10, 100], [8, 0], 0)]
    #[tokio::test(start_paused = true)]
    async fn the_cheaper_of_two_is_picked(
        #[case] why: &str,
        #[case] latency_ms: [u64; 2],
        #[case] in_flight: [usize; 2],
        #[case] expected: usize,
    ) {
        let balancer = of(2);
        let now = Instant::now();
        for (instance, ms) in latency_ms.into_iter().enumerate() {
            balancer.lock()[instance].latency = Some(Latency::first(Duration::from_millis(ms), now));
        }
        let held: Vec<_> = (0..2).flat_map(|index| vec![index; in_flight[index]]).map(|i| at(&balancer, i)).collect();
        for _ in 0..20 {
            assert_eq!(balancer.pick(None).instance, expected, "{why}");
        }
        drop(held);
        assert!(balancer.lock().iter().all(|instance| instance.in_flight == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_slow_now_is_tried_again_when_that_is_long_ago() {
        let balancer = of(2);
        answers(&balancer, 1, 40).await;
        answers(&balancer, 0, 10).await;
        assert_eq!(balancer.pick(None).instance, 0);
        // 40 ms fade below 1 ms within 37 s, and 10 ms are asked about all the time.
        for _ in 0..40 {
            advance(Duration::from_secs(1)).await;
            answers(&balancer, 0, 10).await;
        }
        assert_eq!(balancer.pick(None).instance, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn load_spreads_over_equals_and_avoids_the_one_that_failed() {
        let balancer = of(3);
        let turns: Vec<_> = (0..30).map(|_| balancer.pick(None)).collect();
        for instance in 0..3 {
            let count = turns.iter().filter(|turn| turn.instance == instance).count();
            assert!((8..=12).contains(&count), "{count} of 30 at instance {instance}");
        }
        assert!((0..50).all(|_| balancer.pick(Some(1)).instance != 1));
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_in_a_row_eject_but_never_the_last() {
        let balancer = of(2);
        fails(&balancer, 1, 2);
        answers(&balancer, 1, 10).await;
        assert_eq!(fails(&balancer, 1, 2), [Meaning::InstanceOnly; 2]);
        assert_eq!(balancer.ejected(), [false, false]);
        fails(&balancer, 1, 1);
        assert_eq!(balancer.ejected(), [false, true]);
        assert!((0..20).all(|_| balancer.pick(Some(0)).instance == 0));
        // Now the other one is the last: its failures are the dependency's.
        assert_eq!(fails(&balancer, 0, 10), [Meaning::Whole; 10]);
        assert_eq!(balancer.ejected(), [false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_by_a_tool_is_no_failure() {
        let balancer = of(2);
        let refusal = Failure::refused("no");
        for _ in 0..10 {
            assert_eq!(at(&balancer, 1).settle(Some(&refusal)), Meaning::Whole);
        }
        assert_eq!(balancer.ejected(), [false, false]);
    }

    #[rstest]
    #[case("all the time of an attempt", 2000, 1, true)]
    #[case("a caller with little time", 200, 1, false)]
    #[case("three callers with little time", 200, 3, true)]
    #[tokio::test(start_paused = true)]
    async fn a_whole_attempt_timeout_ejects_at_once(
        #[case] why: &str,
        #[case] ms: u64,
        #[case] times: u32,
        #[case] is_ejected: bool,
    ) {
        let balancer = of(2);
        for _ in 0..times {
            let turn = at(&balancer, 1);
            advance(Duration::from_millis(ms)).await;
            turn.settle(Some(&Failure::TimedOut));
        }
        assert_eq!(balancer.ejected(), [false, is_ejected], "{why}");
    }

    #[rstest]
    #[case("much slower", (10, 200), 5, true)]
    #[case("not often enough", (10, 200), 4, false)]
    #[case("three times and a little", (100, 350), 5, false)]
    #[case("more than that", (100, 351), 5, true)]
    #[case("too quick for it to matter", (1, 50), 5, false)]
    #[tokio::test(start_paused = true)]
    async fn one_much_slower_than_its_peers_is_ejected(
        #[case] why: &str,
        #[case] latencies: (u64, u64),
        #[case] times: usize,
        #[case] is_ejected: bool,
    ) {
        let balancer = of(2);
        let (peer_ms, ms) = latencies;
        answers(&balancer, 0, peer_ms).await;
        for _ in 0..times {
            answers(&balancer, 1, ms).await;
        }
        assert_eq!(balancer.ejected(), [false, is_ejected], "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn ejections_grow_up_to_a_bound_and_a_good_probe_ends_them() {
        let balancer = of(2);
        answers(&balancer, 0, 10).await;
        fails(&balancer, 1, 3);
        for expected_s in [5, 10, 20, 40, 60, 60] {
            assert_eq!(probe(&balancer, Some(&BAD)).await, (expected_s, false));
        }
        assert_eq!(probe(&balancer, None).await, (60, true));
        assert_eq!(balancer.ejected(), [false, false]);
        // Bad again at once: still the longest time. Bad after a good while: the first time again.
        fails(&balancer, 1, 3);
        assert_eq!(probe(&balancer, None).await, (60, true));
        advance(Duration::from_secs(61)).await;
        fails(&balancer, 1, 3);
        assert_eq!(probe(&balancer, None).await, (5, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_probe_is_a_bad_one_and_a_dropped_one_says_nothing() {
        let balancer = of(2);
        answers(&balancer, 0, 10).await;
        fails(&balancer, 1, 3);
        advance(Duration::from_secs(5)).await;
        drop(balancer.due_probe().unwrap());
        let slow = balancer.due_probe().unwrap();
        advance(Duration::from_millis(500)).await;
        assert!(!slow.settle_probe(None));
        assert_eq!(probe(&balancer, None).await, (10, true));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_ejected_when_a_better_one_is_back() {
        let balancer = of(2);
        fails(&balancer, 1, 3);
        fails(&balancer, 0, 3);
        assert_eq!(balancer.ejected(), [false, true]);
        assert_eq!(probe(&balancer, None).await, (5, true));
        assert_eq!(balancer.ejected(), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_from_before_the_ejection_change_nothing() {
        let balancer = of(2);
        let early: Vec<_> = (0..4).map(|_| at(&balancer, 1)).collect();
        fails(&balancer, 1, 3);
        for turn in early {
            assert_eq!(turn.settle(Some(&BAD)), Meaning::InstanceOnly);
        }
        assert_eq!(probe(&balancer, None).await, (5, true));
    }
}
