//! Whether the database works, asked at most so often, however many want to know: anybody may ask without a token.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

/// Longest time of one probe.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long what was found is told again.
const REMEMBERED_FOR: Duration = Duration::from_millis(500);

/// The one probe in progress, or the last one.
#[derive(Default)]
pub(crate) struct DatabaseProbe {
    latest: Mutex<Option<watch::Receiver<Option<Finding>>>>,
}

#[derive(Debug, Clone, Copy)]
struct Finding {
    works: bool,
    found: Instant,
}

impl DatabaseProbe {
    /// What the probe in progress or a recent one finds; `probe` is asked when there is none.
    ///
    /// It runs in a task of its own: who hangs up stops no probe, and so closes no connection to the database.
    pub(crate) async fn works<E, P>(&self, probe: impl FnOnce() -> P) -> bool
    where
        P: Future<Output = Result<(), E>> + Send + 'static,
        E: Send,
    {
        let mut findings = {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            match latest.as_ref().filter(|findings| is_current(findings)) {
                Some(findings) => findings.clone(),
                None => latest.insert(started(probe())).clone(),
            }
        };
        // Without a finding the probe has panicked.
        let finding = findings.wait_for(Option::is_some).await.map(|finding| *finding);
        finding.ok().flatten().is_some_and(|finding| finding.works)
    }
}

fn started<E: Send>(probe: impl Future<Output = Result<(), E>> + Send + 'static) -> watch::Receiver<Option<Finding>> {
    let (sender, findings) = watch::channel(None);
    tokio::spawn(async move {
        let works = matches!(timeout(TIMEOUT, probe).await, Ok(Ok(())));
        sender.send_replace(Some(Finding { works, found: Instant::now() }));
    });
    findings
}

fn is_current(findings: &watch::Receiver<Option<Finding>>) -> bool {
    match *findings.borrow() {
        Some(finding) => finding.found.elapsed() < REMEMBERED_FOR,
        None => findings.has_changed().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    };

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    /// A database that takes 100 ms, and counts who asks it from beginning to end.
    #[derive(Default)]
    struct Asked {
        started: AtomicU32,
        ended: AtomicU32,
    }

    async fn ask(probe: &DatabaseProbe, asked: &Arc<Asked>, outcome: Result<(), ()>) -> bool {
        let asked = Arc::clone(asked);
        let answer = async move {
            asked.started.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(100)).await;
            asked.ended.fetch_add(1, Relaxed);
            outcome
        };
        probe.works(|| answer).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_askers_are_one_probe_and_a_change_is_seen_half_a_second_later() {
        let (probe, asked) = (DatabaseProbe::default(), Arc::new(Asked::default()));
        let answers = join_all((0..100).map(|_| ask(&probe, &asked, Ok(())))).await;
        assert!(answers.into_iter().all(|works| works));
        assert!(ask(&probe, &asked, Err(())).await, "still remembered");
        assert_eq!(asked.started.load(Relaxed), 1);
        advance(REMEMBERED_FOR).await;
        assert!(!ask(&probe, &asked, Err(())).await);
        advance(REMEMBERED_FOR).await;
        assert!(ask(&probe, &asked, Ok(())).await);
        assert_eq!(asked.started.load(Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_neither_stops_a_probe_nor_makes_its_finding_old_news() {
        let (probe, asked) = (DatabaseProbe::default(), Arc::new(Asked::default()));
        for _ in 0..10 {
            assert!(timeout(Duration::from_millis(1), ask(&probe, &asked, Ok(()))).await.is_err());
        }
        sleep(Duration::from_secs(10)).await;
        assert_eq!((asked.started.load(Relaxed), asked.ended.load(Relaxed)), (1, 1));
        assert!(!ask(&probe, &asked, Err(())).await, "what nobody has heard grows old all the same");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_without_an_answer_or_with_a_panic_is_no_and_the_next_one_counts() {
        let probe = DatabaseProbe::default();
        assert!(!probe.works(std::future::pending::<Result<(), ()>>).await);
        advance(REMEMBERED_FOR).await;
        assert!(!probe.works(|| async { panic!("a bug in a probe") as Result<(), ()> }).await);
        assert!(probe.works(|| async { Ok::<_, ()>(()) }).await);
    }
}
