//! Tells the memory server what was talked about, after the answer: fire and forget, on a queue with an end.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::{
    domain::memory::observation,
    mcp::{Caller, memory::Memory},
    metrics::Metrics,
    telemetry::Origin,
};

/// Conversations that wait to be told; more are dropped, and counted.
const QUEUE: usize = 1_024;
/// Tells in progress at once.
const CONCURRENT: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(2);
/// What has waited for longer is dropped, and counted: meanwhile the user may have asked to be forgotten, and the memory
/// server is told so a minute later for the last time.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The sending end of the queue.
pub(crate) struct MemoryWriter {
    queue: Option<mpsc::Sender<Observations>>,
    metrics: Arc<Metrics>,
}

struct Observations {
    user_id: Uuid,
    texts: Vec<String>,
    origin: Origin,
    queued: Instant,
}

/// The observations are not queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotQueued {
    /// There is no memory.
    #[error("memory is not configured")]
    Absent,
    /// Too much waits already.
    #[error("queue of the memory is full")]
    Full,
}

impl MemoryWriter {
    /// Starts the task that empties the queue; it ends with the writer. Without a memory, nothing is queued.
    pub(crate) fn start(memory: Option<Arc<dyn Memory>>, metrics: Arc<Metrics>) -> Self {
        let queue = memory.map(|memory| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            tokio::spawn(write_all(waiting, memory, Arc::clone(&metrics)));
            queue
        });
        Self { queue, metrics }
    }

    /// Queues observations about a user, all or none; each is cut to what the memory takes.
    ///
    /// # Errors
    /// There is no memory, or the queue is full: that is counted.
    pub(crate) fn remember(&self, user_id: Uuid, texts: Vec<String>) -> Result<(), NotQueued> {
        let queue = self.queue.as_ref().ok_or(NotQueued::Absent)?;
        let texts = texts.into_iter().map(observation).collect();
        queue.try_send(Observations { user_id, texts, origin: Origin::current(), queued: Instant::now() }).map_err(
            |_| {
                self.metrics.memory_write("dropped");
                NotQueued::Full
            },
        )
    }
}

async fn write_all(waiting: mpsc::Receiver<Observations>, memory: Arc<dyn Memory>, metrics: Arc<Metrics>) {
    let write = |observations: Observations| {
        let (memory, metrics) = (&memory, &metrics);
        let Observations { user_id, texts, origin, queued } = observations;
        origin.of(async move {
            if queued.elapsed() > WAIT_MAX {
                return metrics.memory_write("dropped");
            }
            let caller = Caller::platform(Instant::now() + TIMEOUT);
            let written = memory.remember(user_id, texts, &caller).await;
            metrics.memory_write(written.err().map_or("ok", |failure| failure.label()));
        })
    };
    ReceiverStream::new(waiting).for_each_concurrent(CONCURRENT, write).await;
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::{dependency::Failure, domain::memory as domain, metrics::OutcomeLabels};

    /// A memory server that takes so long to remember; `None`: it never answers.
    struct Takes(Option<Duration>);

    impl Memory for Takes {
        fn recall<'a>(
            &'a self,
            _: Uuid,
            _: &'a str,
            _: u32,
            _: &'a Caller,
        ) -> BoxFuture<'a, Result<Vec<domain::Memory>, Failure>> {
            std::future::pending().boxed()
        }
        fn remember<'a>(&'a self, _: Uuid, _: Vec<String>, _: &'a Caller) -> BoxFuture<'a, Result<(), Failure>> {
            match self.0 {
                Some(time) => tokio::time::sleep(time).map(Ok).boxed(),
                None => std::future::pending().boxed(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_waited_too_long_is_dropped_and_counted() {
        let metrics = Arc::new(Metrics::new());
        let writer =
            MemoryWriter::start(Some(Arc::new(Takes(Some(WAIT_MAX + Duration::from_millis(1))))), Arc::clone(&metrics));
        for _ in 0..=CONCURRENT {
            writer.remember(Uuid::nil(), vec!["likes trains".into()]).unwrap();
        }
        tokio::time::sleep(3 * WAIT_MAX).await;
        let count = |outcome| metrics.memory_writes.get_or_create(&OutcomeLabels { outcome }).get();
        assert_eq!((count("ok"), count("dropped")), (CONCURRENT as u64, 1));
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let metrics = Arc::new(Metrics::new());
        let writer = MemoryWriter::start(Some(Arc::new(Takes(None))), Arc::clone(&metrics));
        for _ in 0..QUEUE + 3 {
            let _ = writer.remember(Uuid::nil(), vec!["likes trains".into()]);
        }
        let refused = writer.remember(Uuid::nil(), vec!["likes trains".into()]);
        assert!(matches!(refused, Err(NotQueued::Full)), "{refused:?}");
        assert_eq!(metrics.memory_writes.get_or_create(&OutcomeLabels { outcome: "dropped" }).get(), 4);
    }
}
