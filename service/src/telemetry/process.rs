//! The start and the end of logs and traces, which are those of the process.

use std::{io::IsTerminal as _, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use super::{
    exporter::Bounded,
    json::{JsonFields, JsonLine},
    spans,
};
use crate::config::{self, LogFormat};

/// Longest time for what is still to be sent at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Why logs and traces cannot start.
#[derive(Debug, thiserror::Error)]
#[error("cannot send traces over OTLP")]
pub struct Error(#[source] Box<ExporterBuildError>);

/// Logs and traces of this process.
#[must_use = "without `close` the last spans are lost"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
}

/// Starts logging for this process, to stderr, and sends its traces to the collector, when there is one.
///
/// A filter that does not parse becomes `info`, and says so. A second call changes nothing.
///
/// # Errors
/// There is a collector, and the HTTP client for it cannot be set up.
pub fn start(config: &config::Telemetry) -> Result<Telemetry, Error> {
    let (filter, mistake) = match EnvFilter::try_new(&config.log) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let not_spans = format!("{}=off", spans::TARGET).parse().expect("a target and a level are a directive");
    let filter = filter.add_directive(not_spans);
    let traces = config.traces_url.as_ref().map(|url| provider(url.expose().as_str(), &config.service_name));
    let traces = traces.transpose()?;
    let started = match &traces {
        None => tracing_subscriber::registry().with(filter).with(lines(config.log_format)).try_init(),
        Some(traces) => {
            let is_ours = filter_fn(|metadata| metadata.target() == spans::TARGET);
            let layer = tracing_opentelemetry::layer()
                .with_tracer(traces.tracer("tripsage"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(is_ours.with_max_level_hint(LevelFilter::INFO));
            let lines = lines(config.log_format).with_filter(filter);
            tracing_subscriber::registry().with(lines).with(layer).try_init()
        }
    };
    if let (Ok(()), Some(error)) = (started, mistake) {
        tracing::warn!(%error, filter = config.log, "log filter `{}` cannot be read, logging at info", config.log);
    }
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Sends what is still to be sent, for 2 s at most.
    pub fn close(self) {
        let Some(traces) = self.traces else { return };
        if let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last spans may be lost");
        }
    }
}

/// Sampling, batches, headers and more resource attributes are read from the standard variables by the library.
fn provider(url: &str, service_name: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(url);
    let exporter = exporter.build().map_err(|error| Error(Box::new(error)))?;
    let resource = Resource::builder()
        .with_service_name(service_name.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()))
        .build();
    Ok(SdkTracerProvider::builder().with_span_processor(Bounded::new(exporter)).with_resource(resource).build())
}

fn lines<S>(format: Option<LogFormat>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let is_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json }) {
        LogFormat::Text => lines.with_ansi(is_terminal).boxed(),
        LogFormat::Json => lines.fmt_fields(JsonFields).event_format(JsonLine).boxed(),
    }
}
