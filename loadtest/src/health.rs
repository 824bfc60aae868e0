//! What the generator itself needs and uses: file descriptors, processor time, memory, and a clock that does not jump.
use nix::sys::{
    resource::{Resource, UsageWho, getrlimit, getrusage, rlim_t, setrlimit},
    time::TimeVal,
};
use reports::units;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// File descriptors that are used beside those of the users: logs, timers, the runtime, a report's files.
const OTHER_FILES: u64 = 128;

/// Why the machine cannot carry the load.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More connections than this process may open.
    #[error(
        "{users} users need {needed} file descriptors, this process may have {limit} (raise it with `ulimit -Hn {needed}`)"
    )]
    FileDescriptors {
        /// Users asked for.
        users: u32,
        /// File descriptors that they need.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The limit could not be read or raised.
    #[error("cannot raise the number of file descriptors to {needed}")]
    Raise {
        /// File descriptors that are needed.
        needed: u64,
        /// Why.
        source: nix::Error,
    },
}

/// File descriptors that users need: each a timer, and their connections.
#[must_use]
pub fn file_descriptors(users: u32, connections: u32) -> u64 {
    u64::from(users) + u64::from(connections) + OTHER_FILES
}

/// Makes sure that there are file descriptors for users with so many connections; raises the soft limit if that is enough.
///
/// # Errors
/// When the hard limit is too low.
pub fn ensure_file_descriptors(users: u32, connections: u32) -> Result<(), Error> {
    let needed = file_descriptors(users, connections);
    let raise = |source| Error::Raise { needed, source };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(raise)?;
    match as_u64(hard) {
        limit if limit < needed => Err(Error::FileDescriptors { users, needed, limit }),
        _ if as_u64(soft) >= needed => Ok(()),
        _ => setrlimit(Resource::RLIMIT_NOFILE, needed as rlim_t, hard).map_err(raise),
    }
}

#[expect(clippy::unnecessary_cast, reason = "rlim_t is signed on some systems")]
fn as_u64(limit: rlim_t) -> u64 {
    limit as u64
}

/// What this process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time, in seconds of one CPU.
    pub cpu_seconds: f64,
    /// Largest resident set, in bytes.
    pub rss_max_bytes: u64,
}

impl Usage {
    /// Reads it; nothing when the system does not tell.
    #[must_use]
    pub fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Self::default() };
        let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        Self {
            cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
            rss_max_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * unit,
        }
    }
}

/// Watches whether the wall clock and the monotonic clock go at the same speed: a machine that slept, or a clock that was set, shows.
#[derive(Debug)]
pub struct ClockWatch {
    last: (Instant, SystemTime),
    largest_jump: Duration,
}

/// Two clocks read further apart than this are not compared: the process was held up in between.
const READ_WITHIN: Duration = Duration::from_micros(200);

/// How often the clock is read to see its steps.
const READS: u32 = 1_000;

impl ClockWatch {
    /// Starts watching.
    #[must_use]
    pub fn start() -> Self {
        Self { last: (Instant::now(), SystemTime::now()), largest_jump: Duration::ZERO }
    }

    /// The smallest step that the clock of the samples was seen to take, in nanoseconds; takes microseconds.
    #[must_use]
    pub fn resolution_ns() -> u64 {
        let mut last = Instant::now();
        let steps = (0..READS).filter_map(|_| {
            let now = Instant::now();
            let step = now - std::mem::replace(&mut last, now);
            (!step.is_zero()).then_some(step)
        });
        let smallest = steps.min().unwrap_or(Duration::MAX);
        units::nanos(smallest)
    }

    /// Compares the clocks once more.
    pub fn look(&mut self) {
        let (before, wall, after) = (Instant::now(), SystemTime::now(), Instant::now());
        if after - before > READ_WITHIN {
            return;
        }
        let jump = difference(after - self.last.0, wall, self.last.1);
        self.largest_jump = self.largest_jump.max(jump);
        self.last = (after, wall);
    }

    /// The largest difference seen between two looks.
    #[must_use]
    pub fn largest_jump(&self) -> Duration {
        self.largest_jump
    }
}

fn difference(monotonic: Duration, wall: SystemTime, last_wall: SystemTime) -> Duration {
    match wall.duration_since(last_wall) {
        Ok(advance) => advance.abs_diff(monotonic),
        Err(back) => back.duration() + monotonic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_users_than_the_machine_has_descriptors_for_are_refused_with_the_numbers() {
        ensure_file_descriptors(1, 1).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        if as_u64(hard) < u64::from(u32::MAX) {
            let text = ensure_file_descriptors(u32::MAX, u32::MAX).unwrap_err().to_string();
            assert!(text.starts_with("4294967295 users need 8589934718 file descriptors"), "{text}");
            let text = ensure_file_descriptors(u32::MAX, 4).unwrap_err().to_string();
            assert!(
                text.starts_with("4294967295 users need 4294967427 file descriptors"),
                "a pool needs fewer: {text}"
            );
        }
    }

    #[test]
    fn a_clock_that_jumps_either_way_shows() {
        let (start, second) = (SystemTime::UNIX_EPOCH + Duration::from_secs(100), Duration::from_secs(1));
        assert_eq!(difference(second, start + second, start), Duration::ZERO);
        assert_eq!(difference(second, start + 4 * second, start), 3 * second);
        assert_eq!(difference(second, start - second, start), 2 * second);
    }

    #[test]
    fn the_clock_of_the_samples_takes_small_steps() {
        let resolution_ns = ClockWatch::resolution_ns();
        assert!((1..1_000_000).contains(&resolution_ns), "{resolution_ns}");
    }

    #[test]
    fn processor_time_grows() {
        let before = Usage::now();
        let mut sum = 0_u64;
        while Usage::now().cpu_seconds - before.cpu_seconds < 0.01 {
            sum = sum.wrapping_mul(31).wrapping_add(7);
        }
        assert!(Usage::now().rss_max_bytes > 1 << 20, "{sum}");
    }
}
