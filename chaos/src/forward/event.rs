//! The pieces in which an answer comes: the whole of it, or one server-sent event.
use bytes::{Bytes, BytesMut};
use serde_json::Value;

/// A piece of an answer that a rule may change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) raw: Bytes,
    /// Whether it is one of a stream of events.
    pub(crate) is_streamed: bool,
}

impl Event {
    /// What it says: the body, or the lines of its data.
    pub(crate) fn data(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw);
        if !self.is_streamed {
            return text.into_owned();
        }
        let data = lines(&text).filter_map(|line| line.strip_prefix("data:"));
        data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.data()).ok()
    }

    /// The same piece with other data; what else an event has, such as its id, stays.
    pub(crate) fn with_data(&self, data: &str) -> Bytes {
        if !self.is_streamed {
            return Bytes::copy_from_slice(data.as_bytes());
        }
        let text = String::from_utf8_lossy(&self.raw);
        let others = lines(&text).filter(|line| !line.is_empty() && !line.starts_with("data:"));
        let data = data.lines().map(|line| format!("data: {line}\n"));
        let lines: String = others.map(|line| format!("{line}\n")).chain(data).collect();
        format!("{lines}\n").into()
    }

    pub(crate) fn with_json(&self, value: &Value) -> Bytes {
        self.with_data(&value.to_string())
    }
}

/// Lines that end in CR, LF or both, as the format of server-sent events has them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Takes the first whole event off the buffer, with the empty line that ends it.
pub(super) fn take_event(buffer: &mut BytesMut) -> Option<Bytes> {
    let mut line_length = 0;
    let mut position = 0;
    while let Some(byte) = buffer.get(position) {
        let next = buffer.get(position + 1);
        // Whether LF follows is not known yet.
        if *byte == b'\r' && next.is_none() {
            return None;
        }
        let ending = match byte {
            b'\r' if next == Some(&b'\n') => 2,
            b'\r' | b'\n' => 1,
            _ => 0,
        };
        match ending {
            0 => line_length += 1,
            _ if line_length == 0 => return Some(buffer.split_to(position + ending).freeze()),
            _ => line_length = 0,
        }
        position += ending.max(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(raw: &str) -> Event {
        Event { raw: Bytes::copy_from_slice(raw.as_bytes()), is_streamed: true }
    }

    #[test]
    fn events_are_cut_at_empty_lines_of_any_ending() {
        let check = |text: &str, expected: &[&str]| {
            for step in [1, 3, text.len()] {
                let (mut buffer, mut seen) = (BytesMut::new(), Vec::new());
                for piece in text.as_bytes().chunks(step) {
                    buffer.extend_from_slice(piece);
                    seen.extend(std::iter::from_fn(|| take_event(&mut buffer)));
                }
                assert_eq!(seen, expected, "{text:?} in pieces of {step}");
            }
        };
        check("data: a\n\ndata: b\n\n", &["data: a\n\n", "data: b\n\n"]);
        check("data: a\r\n\r\nid: 1\r\ndata: b\r\n\r\n", &["data: a\r\n\r\n", "id: 1\r\ndata: b\r\n\r\n"]);
        check("data: a\r\rdata: b", &["data: a\r\r"]);
        check(": comment\n\ndata", &[": comment\n\n"]);
        check("\ndata: a\n\n", &["\n", "data: a\n\n"]);
    }

    #[test]
    fn data_is_read_and_replaced_and_the_rest_stays() {
        let event = streamed("event: message\r\nid: 5\r\ndata: {\"a\":\r\ndata:1}\r\n\r\n");
        assert_eq!(event.data(), "{\"a\":\n1}");
        assert_eq!(event.json().unwrap()["a"], 1);
        assert_eq!(event.with_data("x"), "event: message\nid: 5\ndata: x\n\n");
        assert_eq!(streamed(": ping\n\n").json(), None);
        let whole = Event { raw: Bytes::from_static(b"{}"), is_streamed: false };
        assert_eq!((whole.json().unwrap(), whole.with_data("x")), (serde_json::json!({}), Bytes::from_static(b"x")));
    }
}
