//! Server-sent events: bytes in, the data of one event out.
//!
//! Source: WHATWG HTML standard, "Server-sent events", the parts that a chat stream uses: `data:` lines, comments, and an empty line
//! that ends an event. Other fields are read over.

/// The largest event that is read, in bytes.
pub(crate) const EVENT_MAX: usize = 1 << 20;

/// Takes a stream of bytes apart into events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    is_too_long: bool,
}

impl Events {
    /// Reads the next bytes and hands the data of each event that they complete to `on_event`.
    ///
    /// An event of more than [`EVENT_MAX`] bytes ends the reading: nothing is handed over any more, see [`Events::is_broken`].
    pub(crate) fn read(&mut self, bytes: &[u8], mut on_event: impl FnMut(&[u8])) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + self.data.len() + part.len() > EVENT_MAX {
                self.is_too_long = true;
            }
            if self.is_too_long {
                return;
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line(&mut on_event);
            }
        }
    }

    /// Whether the stream ended within an event, or one was too long.
    #[must_use]
    pub(crate) fn is_broken(&self) -> bool {
        self.is_too_long || self.has_data || !self.line.is_empty()
    }

    fn end_line(&mut self, on_event: &mut impl FnMut(&[u8])) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                on_event(&self.data);
                self.data.clear();
            }
        } else if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&str]) -> (Vec<String>, bool) {
        let (mut reader, mut seen) = (Events::default(), Vec::new());
        for piece in pieces {
            reader.read(piece.as_bytes(), |data| seen.push(String::from_utf8(data.to_vec()).unwrap()));
        }
        (seen, reader.is_broken())
    }

    #[track_caller]
    fn check(stream: &str, expected: &[&str], is_broken: bool) {
        assert_eq!(events(&[stream]), (expected.iter().map(ToString::to_string).collect(), is_broken));
        let bytes: Vec<String> = stream.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(events(&bytes), events(&[stream]), "byte by byte: {stream:?}");
    }

    #[test]
    fn events_are_read_however_the_bytes_arrive() {
        check("data: a\n\ndata: b\n\n", &["a", "b"], false);
        check("data:a\r\n\r\ndata:  b\r\n\r\n", &["a", " b"], false);
        check(": ping\n\nevent: x\nid: 7\ndata: a\nretry: 5\n\n", &["a"], false);
        check("data: a\ndata: b\n\n", &["a\nb"], false);
        check("data:\n\n", &[""], false);
        check("\n\n\n", &[], false);
        check("", &[], false);
    }

    #[test]
    fn a_stream_that_ends_within_an_event_is_broken() {
        check("data: a\n\ndata: b", &["a"], true);
        check("data: a\n", &[], true);
    }

    #[test]
    fn an_endless_event_is_given_up() {
        let mut reader = Events::default();
        for _ in 0..=EVENT_MAX / 1_000 {
            reader.read(&[b'x'; 1_000], |_| panic!("no event ends"));
        }
        assert!(reader.is_broken() && reader.line.len() <= EVENT_MAX);
    }
}
