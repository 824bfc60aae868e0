//! A log line as one flat JSON object: when, how bad, where, of which request, and what the event says.

use std::fmt::{self, Debug, Write as _};

use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// Whose spans tell about a line: the request it belongs to, not what a library notes of its connections.
const OURS: &str = "service";

/// Fields of a span as JSON members, each with a comma before it. More fields are appended, not parsed again.
pub(super) struct JsonFields;

/// One event as a line.
pub(super) struct JsonLine;

/// Writes each field as `,"name":value`.
struct Members<'a>(Writer<'a>, fmt::Result);

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut members = Members(writer, Ok(()));
        fields.record(&mut members);
        members.1
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        write!(line, "\",\"level\":\"{}\",\"target\":\"{}\"", metadata.level(), metadata.target())?;
        for span in context.event_scope().into_iter().flatten() {
            if span.metadata().target().starts_with(OURS)
                && let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>()
            {
                line.write_str(fields)?;
            }
        }
        context.field_format().format_fields(line.by_ref(), event)?;
        line.write_str("}\n")
    }
}

impl Members<'_> {
    fn write(&mut self, field: &Field, value: impl Into<Value>) {
        let name = Value::from(field.name());
        self.1 = self.1.and_then(|()| write!(self.0, ",{name}:{}", value.into()));
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(chain, ": {error}");
            cause = error.source();
        }
        self.write(field, chain);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, format!("{value:?}"));
    }
}
