//! Logs and traces: what is told, in which form, to whom.

use super::{Error, ServerUrl, Vars};

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Logs and traces. `OTEL_` names are those of the OpenTelemetry specification; the others of it that matter
/// (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_SCHEDULE_DELAY`, ...) are read by its library.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `TRIPSAGE_LOG`: what to log, as a `tracing` filter. Default `info`.
    pub log: String,
    /// `TRIPSAGE_LOG_FORMAT`: `text` or `json`. Default `text` on a terminal, else `json`.
    pub log_format: Option<LogFormat>,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` after it: where traces
    /// are sent, over HTTP. Default none, as with `OTEL_SDK_DISABLED=true`: no traces.
    pub traces_url: Option<ServerUrl>,
    /// `OTEL_SERVICE_NAME`: the name of this service in traces. Default `tripsage`.
    pub service_name: String,
}

impl Telemetry {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        const FORMAT: &str = "TRIPSAGE_LOG_FORMAT";
        let log_format = match vars.text(FORMAT) {
            None => None,
            Some(text) if text == "text" => Some(LogFormat::Text),
            Some(text) if text == "json" => Some(LogFormat::Json),
            Some(value) => return Err(Error::Invalid { name: FORMAT, value, expected: "text or json" }),
        };
        let of_all = vars.url("OTEL_EXPORTER_OTLP_ENDPOINT")?.map(|url| url.with_path("/v1/traces"));
        let of_traces = vars.url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?;
        let is_off = vars.text("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        Ok(Self {
            log: vars.text("TRIPSAGE_LOG").unwrap_or_else(|| "info".into()),
            log_format,
            traces_url: of_traces.or(of_all).filter(|_| !is_off),
            service_name: vars.text("OTEL_SERVICE_NAME").unwrap_or_else(|| "tripsage".into()),
        })
    }
}
