//! The counts of all replicas together, in Redis: one script, one round trip, one key per client.
//!
//! Redis must never be why a request fails or is slow: what is not answered in time is counted by this process, and for a
//! while Redis is not asked at all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::Subject;
use crate::{
    domain::quota::{Meter, Rule, SLOTS, Verdict, refused},
    metrics::Metrics,
};

/// Longest wait for a connection, which is made even when no request waits for it any more.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long after a failure nobody asks; then one request tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Redis works.
const WORKS: u64 = 0;

/// The counts in one Redis.
pub(super) struct Shared {
    connection: ConnectionManager,
    script: Script,
    /// Longest wait for an answer.
    timeout: Duration,
    started: Instant,
    /// When to try again after a failure, in milliseconds after `started`, or [`WORKS`].
    try_at_ms: AtomicU64,
    metrics: Arc<Metrics>,
}

/// Why there is no verdict of Redis.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
    #[error("an answer that names no meter")]
    Malformed,
}

impl Shared {
    /// Connects when it is first asked.
    ///
    /// # Errors
    /// The address is none of Redis.
    pub(super) fn open(url: &str, timeout: Duration, metrics: Arc<Metrics>) -> RedisResult<Self> {
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(1);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(Client::open(url)?, settings)?,
            script: Script::new(include_str!("judge.lua")),
            timeout,
            started: Instant::now(),
            try_at_ms: AtomicU64::new(WORKS),
            metrics,
        })
    }

    /// Counts a request in Redis, or refuses it. `None` when Redis does not answer.
    pub(super) async fn ask(&self, subject: Subject, meters: &[Meter], forgotten_after_us: u64) -> Option<Verdict> {
        if !self.may_try() {
            self.metrics.rate_limit_fallbacks.inc();
            return None;
        }
        let asked = timeout(self.timeout, self.judge(subject, meters, forgotten_after_us)).await;
        match asked.unwrap_or(Err(Failure::TimedOut(self.timeout))) {
            Ok(verdict) => {
                if self.try_at_ms.swap(WORKS, Ordering::Relaxed) != WORKS {
                    info!("Redis answers again, rate limits are shared");
                }
                Some(verdict)
            }
            Err(failure) => {
                self.metrics.rate_limit_fallbacks.inc();
                if self.try_at_ms.swap(self.now_ms() + millis(PAUSE), Ordering::Relaxed) == WORKS {
                    warn!(
                        error = &failure as &dyn std::error::Error,
                        "Redis fails, rate limits are those of this process alone"
                    );
                }
                None
            }
        }
    }

    /// Whether Redis works, or it is this request that tries.
    fn may_try(&self) -> bool {
        let try_at = self.try_at_ms.load(Ordering::Relaxed);
        if try_at == WORKS {
            return true;
        }
        let now = self.now_ms();
        let next = now + millis(PAUSE);
        now >= try_at && self.try_at_ms.compare_exchange(try_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    async fn judge(&self, subject: Subject, meters: &[Meter], forgotten_after_us: u64) -> Result<Verdict, Failure> {
        let mut call = self.script.prepare_invoke();
        call.key(key(subject)).arg(SLOTS).arg(forgotten_after_us / 1_000);
        for meter in meters {
            let (kind, limit, span_us) = match meter.rule {
                Rule::Bucket { size, refill_us } => ("bucket", size, refill_us),
                Rule::Window { limit, width_us } => ("window", limit, width_us),
            };
            call.arg(meter.slot).arg(kind).arg(limit).arg(span_us);
        }
        let answer: (usize, u64, u32, u64) = call.invoke_async(&mut self.connection.clone()).await?;
        let (number, wait_us, remaining, reset_us) = answer;
        let meter = number.checked_sub(1).and_then(|index| meters.get(index)).ok_or(Failure::Malformed)?;
        Ok(match (meter.rule, wait_us) {
            (Rule::Window { limit, .. }, 0) => {
                Verdict { wait_us: None, scope: meter.scope, limit, remaining, reset_us }
            }
            (Rule::Bucket { .. }, 0) => return Err(Failure::Malformed),
            _ => refused(meter, wait_us),
        })
    }

    /// Never [`WORKS`].
    fn now_ms(&self) -> u64 {
        millis(self.started.elapsed()) + 1
    }
}

fn key(subject: Subject) -> String {
    match subject {
        Subject::User(id) => format!("tripsage:limits:user:{id}"),
        Subject::Ip(address) => format!("tripsage:limits:ip:{address}"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
    use redis::AsyncTypedCommands as _;
    use uuid::Uuid;

    use super::*;
    use crate::domain::quota::{Class, Quotas, Slot, Slots, judge};

    const SEED: u64 = 4711;
    const MINUTE_US: u64 = 60_000_000;

    /// Counts that a client may have at `now_us`: of this window or before, few or too many.
    fn counts(random: &mut StdRng, meters: &[Meter], now_us: u64) -> [[u64; 3]; SLOTS] {
        let mut counts = [[0; 3]; SLOTS];
        for meter in meters {
            counts[meter.slot] = match meter.rule {
                Rule::Bucket { size, refill_us } => {
                    [now_us - refill_us + random.random_range(0..refill_us * u64::from(size + 1)), 0, 0]
                }
                Rule::Window { limit, width_us } => {
                    let window = now_us / width_us - random.random_range(0..3);
                    let most = u64::from(limit);
                    [window, random.random_range(0..=most), random.random_range(0..=most * 3 / 2)]
                }
            };
        }
        counts
    }

    /// The script has the time of Redis, so its verdict lies between those of the moments before and after.
    #[tokio::test]
    async fn the_script_judges_like_the_rules() {
        let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !is_there("redis-server") || !is_there("setpriv") {
            assert!(std::env::var_os("CI").is_none(), "redis-server or setpriv is not installed");
            return;
        }
        let folder = tempfile::TempDir::new().unwrap();
        let socket = folder.path().join("redis.sock");
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "redis-server", "--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("unix://{}", socket.display());
        let shared = Shared::open(&url, Duration::from_secs(5), Arc::new(Metrics::new())).unwrap();
        let mut redis = shared.connection.clone();
        let up = async { while redis.ping().await.is_err() {} };
        timeout(Duration::from_secs(5), up).await.expect("redis answers");

        let (quotas, mut random) = (Quotas::new(1.0), StdRng::seed_from_u64(SEED));
        let (mut admitted, mut refused) = (0, 0);
        for number in 0..400 {
            let class = [Class::User, Class::Chat, Class::Keys, Class::Ip][number % 4];
            let meters = quotas.of(class);
            let subject = Subject::User(Uuid::from_u128(number as u128));
            let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
            let before_us = seconds * 1_000_000 + micros;
            let counts = counts(&mut random, meters, before_us);
            let text: Vec<_> = counts.iter().flatten().map(u64::to_string).collect();
            redis.set(key(subject), text.join(" ")).await.unwrap();
            let verdict = shared.judge(subject, meters, MINUTE_US).await.unwrap();
            let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut redis).await.unwrap();
            let after_us = seconds * 1_000_000 + micros;

            let slots: Slots = counts.map(Slot::of);
            let (mut at_first, mut at_last) = (slots, slots);
            let first = judge(meters, &mut at_first, before_us);
            let last = judge(meters, &mut at_last, after_us);
            let wait = |verdict: &Verdict| verdict.wait_us.unwrap_or(0);
            let context = format!("seed {SEED}, {class:?} {number}: {first:?} {verdict:?} {last:?}");
            assert!((wait(&last)..=wait(&first)).contains(&wait(&verdict)), "{context}");
            let is_same_moment = first.wait_us.is_some() == last.wait_us.is_some();
            if is_same_moment && first.scope == last.scope {
                assert_eq!((verdict.scope, verdict.limit), (first.scope, first.limit), "{context}");
            }
            assert!(
                (first.remaining.min(last.remaining)..=last.remaining.max(first.remaining))
                    .contains(&verdict.remaining),
                "{context}"
            );
            *(if verdict.wait_us.is_some() { &mut refused } else { &mut admitted }) += 1;

            let kept = redis.get(key(subject)).await.unwrap().unwrap();
            if verdict.wait_us.is_some() {
                assert_eq!(kept, text.join(" "), "{context}");
                continue;
            }
            let numbers: Vec<u64> = kept.split(' ').map(|number| number.parse().unwrap()).collect();
            for meter in meters.iter().filter(|meter| matches!(meter.rule, Rule::Window { .. })) {
                let slot = Slot::of(numbers[3 * meter.slot..][..3].try_into().unwrap());
                assert!([at_first[meter.slot], at_last[meter.slot]].contains(&slot), "{slot:?}, {context}");
            }
        }
        assert!(admitted > 50 && refused > 50, "{admitted} admitted, {refused} refused");
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
