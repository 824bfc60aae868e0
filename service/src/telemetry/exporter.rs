//! The way of spans to the collector: a queue with an end, and the counting of what does not get there.

use std::{
    future::Future,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use prometheus_client::metrics::{counter::Counter, family::Family};

use crate::metrics::OutcomeLabels;

/// Spans that wait or are being sent; more are dropped.
const QUEUE: usize = 2_048;

/// Traces are of the process, and so is what became of them.
static OUTCOMES: LazyLock<Family<OutcomeLabels, Counter>> = LazyLock::new(Family::default);

/// What became of spans: exported, failed (the collector did not take them), dropped (the queue was full).
pub(crate) fn span_outcomes() -> Family<OutcomeLabels, Counter> {
    OUTCOMES.clone()
}

fn count(outcome: &'static str, spans: usize) {
    OUTCOMES.get_or_create(&OutcomeLabels { outcome }).inc_by(spans as u64);
}

/// Sends spans in batches, from a thread of its own. What is more than its queue holds is dropped and counted.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

/// Counts how batches end, and tells once when they begin or cease to fail.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    waiting: Arc<AtomicUsize>,
    is_failing: Arc<AtomicBool>,
}

impl Bounded {
    pub(super) fn new(exporter: impl SpanExporter + 'static) -> Self {
        let waiting = Arc::new(AtomicUsize::new(0));
        let exporter = Counted { exporter, waiting: Arc::clone(&waiting), is_failing: Arc::default() };
        let config = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
        Self { batches: BatchSpanProcessor::builder(exporter).with_batch_config(config).build(), waiting }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let has_place = |waiting| (waiting < QUEUE).then_some(waiting + 1);
        match self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_place) {
            Ok(_) => self.batches.on_end(span),
            Err(_) => count("dropped", 1),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let spans = batch.len();
        let exporting = self.exporter.export(batch);
        async move {
            let exported = exporting.await;
            self.waiting.fetch_sub(spans, Ordering::Relaxed);
            count(if exported.is_ok() { "exported" } else { "failed" }, spans);
            let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
            match &exported {
                Err(error) if !was_failing => tracing::warn!(%error, "the collector does not take the traces"),
                Ok(()) if was_failing => tracing::info!("the collector takes the traces again"),
                _ => {}
            }
            exported
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector that never answers.
    #[derive(Debug)]
    struct Hung;

    impl SpanExporter for Hung {
        fn export(&self, _: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
            std::future::pending()
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let provider = SdkTracerProvider::builder().with_span_processor(Bounded::new(Hung)).build();
        let tracer = provider.tracer("x");
        for _ in 0..QUEUE + 3 {
            drop(tracer.start("x"));
        }
        assert_eq!(span_outcomes().get_or_create(&OutcomeLabels { outcome: "dropped" }).get(), 3);
        // The thread that waits for this collector will never end.
        std::mem::forget(provider);
    }
}
