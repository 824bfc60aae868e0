//! A log line as one flat JSON object: when, how bad, where, of which request, and what the event says.

use std::fmt::{self, Debug, Display, Write as _};

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

/// What is written through it is the inside of a JSON string.
struct Escaping<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain_from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.0.write_str(&text[plain_from..at])?;
            match byte {
                b'"' | b'\\' => write!(self.0, "\\{}", char::from(byte))?,
                b'\n' => self.0.write_str("\\n")?,
                _ => write!(self.0, "\\u{byte:04x}")?,
            }
            plain_from = at + 1;
        }
        self.0.write_str(&text[plain_from..])
    }
}

impl Members<'_> {
    /// Names of fields are Rust's own: nothing in them needs an escape.
    fn write(&mut self, field: &Field, value: impl Display) {
        self.1 = self.1.and_then(|()| write!(self.0, ",\"{}\":{value}", field.name()));
    }

    fn write_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        self.1 = self.1.and_then(|()| {
            write!(self.0, ",\"{}\":\"", field.name())?;
            Escaping(&mut self.0).write_fmt(text)?;
            self.0.write_char('"')
        });
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write_text(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // What is not finite is null.
        self.write(field, Value::from(value));
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
        self.write_text(field, format_args!("{chain}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write_text(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_from_its_json_string(pieces in prop::collection::vec(any::<String>(), 0..4)) {
            let mut json = String::from('"');
            for piece in &pieces {
                Escaping(&mut json).write_str(piece).unwrap();
            }
            json.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), pieces.concat());
        }
    }

    #[test]
    fn control_characters_quotes_and_backslashes_are_escaped() {
        let mut json = String::new();
        Escaping(&mut json).write_str("a\"\\\n\u{1}\u{7f}é").unwrap();
        assert_eq!(json, "a\\\"\\\\\\n\\u0001\u{7f}é");
    }
}
