//! One line of a log: when, and of what path.
use jiff::{Timestamp, fmt::strtime};
use reports::record::arrivals::parse_seconds;
use serde_json::{Map, Value};
use std::fmt;

/// What the lines of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Common or Combined Log Format, as nginx and Apache write it.
    AccessLog,
    /// JSON objects with a timestamp.
    JsonLines,
    /// Seconds since the start, one number per line.
    Seconds,
}

/// An arrival as a line tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When, in nanoseconds since 1970 (logs) or since the start (lists).
    pub(crate) at_ns: u64,
    /// The path that was asked for, where it is told.
    pub(crate) path: Option<String>,
}

/// Fields that hold the timestamp of a JSON line, unless another one is named.
const TIME_FIELDS: [&str; 4] = ["time", "timestamp", "@timestamp", "ts"];
/// Fields that hold the path of a JSON line.
const PATH_FIELDS: [&str; 4] = ["path", "uri", "url", "request"];

impl Format {
    /// What a file is, by its first line.
    pub(crate) fn of(line: &str) -> Self {
        match line.trim_start() {
            line if line.starts_with('{') => Self::JsonLines,
            line if parse_seconds(line.trim_end()).is_some() => Self::Seconds,
            _ => Self::AccessLog,
        }
    }

    /// Reads a line; `None` when it is not of this format.
    pub(crate) fn read(self, line: &str, field: Option<&str>) -> Option<Line> {
        match self {
            Self::AccessLog => access(line),
            Self::JsonLines => json(line, field),
            Self::Seconds => Some(Line { at_ns: parse_seconds(line.trim())?, path: None }),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessLog => "Common Log Format",
            Self::JsonLines => "JSON lines",
            Self::Seconds => "a list of seconds",
        })
    }
}

/// `host ident user [10/Oct/2000:13:55:36 -0700] "GET /path HTTP/1.1" 200 2326 …`
fn access(line: &str) -> Option<Line> {
    let (_, rest) = line.split_once('[')?;
    let (time, rest) = rest.split_once(']')?;
    let time = strtime::parse("%d/%b/%Y:%H:%M:%S %z", time).ok()?.to_timestamp().ok()?;
    let request = rest.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or("", |(request, _)| request);
    Some(Line { at_ns: since_1970(time)?, path: path_of(request) })
}

fn json(line: &str, field: Option<&str>) -> Option<Line> {
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    let time = match field {
        Some(field) => object.get(field),
        None => TIME_FIELDS.iter().find_map(|field| object.get(*field)),
    };
    let path = PATH_FIELDS.iter().find_map(|field| object.get(*field)?.as_str());
    Some(Line { at_ns: timestamp(time?)?, path: path.and_then(path_of) })
}

/// RFC 3339, or a number of seconds or milliseconds since 1970, also as text. One of twelve digits or more is of milliseconds: as
/// seconds it would lie beyond the year 5000.
fn timestamp(value: &Value) -> Option<u64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    if whole.len() >= 12 && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        let (seconds, milliseconds) = whole.split_at(whole.len() - 3);
        return parse_seconds(&format!("{seconds}.{milliseconds}{fraction}"));
    }
    parse_seconds(&text).or_else(|| since_1970(text.parse().ok()?))
}

fn since_1970(time: Timestamp) -> Option<u64> {
    u64::try_from(time.as_nanosecond()).ok()
}

/// The path of `GET /path?query HTTP/1.1`, of a URL, or of a path, without its query.
fn path_of(request: &str) -> Option<String> {
    let target = request.split_whitespace().find(|part| part.contains('/'))?;
    let target = target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    Some(target.split(['?', '#']).next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, field: Option<&str>, expected: Option<(u64, Option<&str>)>) {
        let seen = Format::of(line).read(line, field).map(|line| (line.at_ns, line.path));
        assert_eq!(seen, expected.map(|(at_ns, path)| (at_ns, path.map(str::to_owned))), "{line}");
    }

    /// 10 October 2000, 20:55:36 UTC.
    const AT: u64 = 971_211_336 * 1_000_000_000;

    #[test]
    fn lines_of_access_logs_tell_their_second_and_path() {
        let common = r#"192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /api/v1/chat?x=1 HTTP/1.0" 200 2326"#;
        check(common, None, Some((AT, Some("/api/v1/chat"))));
        check(&format!(r#"{common} "http://example.org/" "Mozilla/5.0 [en]""#), None, Some((AT, Some("/api/v1/chat"))));
        check(r#"::1 - - [10/Oct/2000:20:55:36 +0000] "-" 400 0"#, None, Some((AT, None)));
        for line in ["", "nothing", "a [10/Oct/2000] b", r#"a [32/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0""#] {
            check(line, None, None);
        }
    }

    #[test]
    fn lines_of_json_tell_their_instant_in_any_of_the_usual_ways() {
        check(r#"{"time":"2000-10-10T20:55:36Z","path":"/a"}"#, None, Some((AT, Some("/a"))));
        check(r#"{"ts":971211336.25,"uri":"http://h:1/a/b?c"}"#, None, Some((AT + 250_000_000, Some("/a/b"))));
        check(r#"{"@timestamp":971211336250,"request":"POST /x HTTP/2"}"#, None, Some((AT + 250_000_000, Some("/x"))));
        check(r#"{"time":"1","at":"971211336"}"#, Some("at"), Some((AT, None)));
        check(r#"{"time":"2000-10-10T13:55:36.5-07:00"}"#, None, Some((AT + 500_000_000, None)));
        for line in
            [r#"{"time":true}"#, r#"{"at":1}"#, r#"{"time":"yesterday"}"#, "{", r#"{"time":"1900-01-01T00:00:00Z"}"#]
        {
            check(line, None, None);
        }
    }

    #[test]
    fn lists_tell_seconds_since_the_start() {
        check("12.5", None, Some((12_500_000_000, None)));
        assert_eq!(Format::Seconds.read("soon", None), None);
    }
}
