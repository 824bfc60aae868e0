//! Tells the memory server what was talked about, after the answer: fire and forget, on a queue with an end.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::{
    mcp::{Caller, memory::Memory},
    metrics::Metrics,
    telemetry::Origin,
};

/// Turns that wait to be told; more are dropped, and counted.
const QUEUE: usize = 1_024;
/// Tells in progress at once.
const CONCURRENT: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(2);

/// The sending end of the queue.
pub(crate) struct MemoryWriter {
    queue: Option<mpsc::Sender<Observation>>,
    metrics: Arc<Metrics>,
}

struct Observation {
    user_id: Uuid,
    text: String,
    origin: Origin,
}

impl MemoryWriter {
    /// Starts the task that empties the queue; it ends with the writer. Without a memory, everything is dropped silently.
    pub(crate) fn start(memory: Option<Arc<dyn Memory>>, metrics: Arc<Metrics>) -> Self {
        let queue = memory.map(|memory| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            tokio::spawn(write_all(waiting, memory, Arc::clone(&metrics)));
            queue
        });
        Self { queue, metrics }
    }

    /// Queues one observation about a user.
    pub(crate) fn remember(&self, user_id: Uuid, text: String) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(Observation { user_id, text, origin: Origin::current() }).is_err() {
            self.metrics.memory_write("dropped");
        }
    }
}

async fn write_all(waiting: mpsc::Receiver<Observation>, memory: Arc<dyn Memory>, metrics: Arc<Metrics>) {
    let write = |observation: Observation| {
        let (memory, metrics) = (&memory, &metrics);
        let Observation { user_id, text, origin } = observation;
        origin.of(async move {
            let caller = Caller::platform(Instant::now() + TIMEOUT);
            let written = memory.remember(user_id, vec![text], &caller).await;
            metrics.memory_write(written.err().map_or("ok", |failure| failure.label()));
        })
    };
    ReceiverStream::new(waiting).for_each_concurrent(CONCURRENT, write).await;
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::{dependency::Failure, metrics::OutcomeLabels};

    /// A memory server that never answers.
    struct Hung;

    impl Memory for Hung {
        fn recall<'a>(&'a self, _: Uuid, _: &'a str, _: &'a Caller) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
            std::future::pending().boxed()
        }
        fn remember<'a>(&'a self, _: Uuid, _: Vec<String>, _: &'a Caller) -> BoxFuture<'a, Result<(), Failure>> {
            std::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let metrics = Arc::new(Metrics::new());
        let writer = MemoryWriter::start(Some(Arc::new(Hung)), Arc::clone(&metrics));
        for _ in 0..QUEUE + 3 {
            writer.remember(Uuid::nil(), "likes trains".into());
        }
        assert_eq!(metrics.memory_writes.get_or_create(&OutcomeLabels { outcome: "dropped" }).get(), 3);
    }
}
