//! A timer that is precise to microseconds.
//!
//! tokio's own timer has a wheel of milliseconds: released through it, requests are 0.25 to 1 ms late and leave in bursts. On Linux this
//! one is a timerfd, which costs one file descriptor; elsewhere it is tokio's.
use std::io;
use tokio::time::Instant;

#[cfg(target_os = "linux")]
mod precise {
    use nix::sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    };
    use std::{
        io,
        os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        time::Duration,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    pub(super) struct Alarm(AsyncFd<Fd>);

    /// tokio asks for the raw descriptor as well, which nix's type does not hand out.
    struct Fd(TimerFd);

    impl AsFd for Fd {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl AsRawFd for Fd {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe only because a type may change its descriptor; `Fd` owns one for good"
            )]
            AsyncFd::with_interest(Fd(timer), Interest::READABLE).map(Self)
        }

        pub(super) async fn after(&self, wait: Duration) -> io::Result<()> {
            let once = Expiration::OneShot(TimeSpec::from_duration(wait));
            self.0.get_ref().0.set(once, TimerSetTimeFlags::empty())?;
            loop {
                let mut ready = self.0.readable().await?;
                // Reading takes the expiration away; an earlier alarm that was given up may have left the fd ready.
                match ready.try_io(|timer| timer.get_ref().0.wait().map_err(io::Error::from)) {
                    Ok(expired) => return expired,
                    Err(_would_block) => {}
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod precise {
    use std::{io, time::Duration};

    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn after(&self, wait: Duration) -> io::Result<()> {
            tokio::time::sleep(wait).await;
            Ok(())
        }
    }
}

/// A timer of one task.
pub struct Timer(precise::Alarm);

impl Timer {
    /// Makes a timer.
    ///
    /// # Errors
    /// When no file descriptor is left.
    pub fn new() -> io::Result<Self> {
        precise::Alarm::new().map(Self)
    }

    /// Waits until an instant; returns at once when it is past. May be given up and used again.
    ///
    /// # Errors
    /// When the timer cannot be set, which no state of the program causes.
    pub async fn until(&self, instant: Instant) -> io::Result<()> {
        loop {
            let wait = instant.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            self.0.after(wait).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_timer_is_never_early_and_survives_being_given_up() {
        let timer = Timer::new().unwrap();
        for micros in [0, 1, 300, 2_000] {
            let gave_up =
                tokio::time::timeout(Duration::ZERO, timer.until(Instant::now() + Duration::from_secs(60))).await;
            assert!(gave_up.is_err());
            let due = Instant::now() + Duration::from_micros(micros);
            timer.until(due).await.unwrap();
            assert!(Instant::now() >= due, "early for {micros} us");
        }
    }
}
