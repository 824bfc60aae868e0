//! A streamed chat answer, read to its end: when the first event and the first text came, the gaps between pieces of text, and whether
//! it ended as promised.
//!
//! ```text
//! started (handoff | tool_call | tool_result | delta)* (final | error) [DONE]
//! ```
use crate::{
    outcome::{Meta, Said, of_refusal_event},
    sse::Events,
};
use reports::record::{Outcome, Stream};
use serde::Deserialize;

/// The most pieces of text whose gaps are kept; later gaps of a longer answer are left out.
pub(crate) const GAPS_MAX: usize = 4_096;

/// The data of the event that ends every stream.
const DONE: &[u8] = b"[DONE]";

/// The reason of an answer that is not in the history.
const NOT_KEPT: &str = "history_not_saved";

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct ChatStream {
    events: Events,
    seen: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    stream: Stream,
    session_id: Option<String>,
    last_token_ns: Option<u64>,
    text: String,
    has_failed_tool: bool,
    terminal: Option<Terminal>,
    is_done: bool,
    is_malformed: bool,
}

#[derive(Debug)]
enum Terminal {
    Final { content: String, meta: Meta },
    Error { outcome: Outcome },
}

/// One event. Fields that are not looked at are read over.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Started { session_id: Option<String> },
    Handoff {},
    ToolCall {},
    ToolResult { status: ToolStatus },
    Delta { content: String },
    Final { content: String, meta: Meta },
    Error { code: String, status: Option<u16> },
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToolStatus {
    Success,
    Error,
}

impl ChatStream {
    /// Reads the next bytes, which arrived at `at_ns` since clock zero.
    pub(crate) fn read(&mut self, at_ns: u64, bytes: &[u8]) {
        let seen = &mut self.seen;
        self.events.read(bytes, |data| seen.event(at_ns, data));
    }

    /// What was measured, the class of the answer if its body came in whole, and what was said if it was answered.
    #[must_use]
    pub(crate) fn finish(self) -> (Stream, Outcome, Option<Said>) {
        let Self { events, mut seen } = self;
        seen.is_malformed |= events.is_broken();
        seen.stream.ended_properly = seen.terminal.is_some() && seen.is_done && !seen.is_malformed;
        let outcome = seen.outcome();
        (seen.stream, outcome, said(seen.session_id, seen.terminal))
    }
}

fn said(session_id: Option<String>, terminal: Option<Terminal>) -> Option<Said> {
    let (Some(session_id), Some(Terminal::Final { content, meta })) = (session_id, terminal) else { return None };
    let is_kept = !meta.degraded_reasons.iter().any(|reason| reason == NOT_KEPT);
    Some(Said { session_id, content, is_kept })
}

impl Seen {
    fn event(&mut self, at_ns: u64, data: &[u8]) {
        self.stream.first_event_ns.get_or_insert(at_ns);
        if self.is_done {
            self.is_malformed = true;
        } else if data == DONE {
            self.is_done = true;
        } else if self.terminal.is_some() {
            // Nothing but the end mark may follow, in particular no second terminal event.
            self.is_malformed = true;
        } else {
            match serde_json::from_slice(data) {
                Ok(event) => self.take(at_ns, event),
                Err(_) => self.is_malformed = true,
            }
        }
    }

    fn take(&mut self, at_ns: u64, event: Event) {
        match event {
            Event::Started { session_id } => self.session_id = session_id,
            Event::Handoff {} | Event::ToolCall {} => {}
            Event::ToolResult { status } => self.has_failed_tool |= status == ToolStatus::Error,
            Event::Delta { content } => self.token(at_ns, &content),
            Event::Final { content, meta } => self.terminal = Some(Terminal::Final { content, meta }),
            Event::Error { code, status } => {
                self.terminal = Some(Terminal::Error { outcome: of_refusal_event(status, &code) });
            }
        }
    }

    fn token(&mut self, at_ns: u64, content: &str) {
        self.stream.first_token_ns.get_or_insert(at_ns);
        let last_ns = self.last_token_ns.replace(at_ns);
        if let Some(last_ns) = last_ns.filter(|_| self.stream.gaps_ns.len() < GAPS_MAX) {
            self.stream.gaps_ns.push(at_ns.saturating_sub(last_ns));
        }
        self.text.push_str(content);
    }

    fn outcome(&self) -> Outcome {
        if !self.stream.ended_properly {
            return Outcome::Wrong;
        }
        match &self.terminal {
            Some(Terminal::Error { outcome }) => *outcome,
            // The whole text at the end must be the text that was streamed.
            Some(Terminal::Final { content, .. }) if content.is_empty() || *content != self.text => Outcome::Wrong,
            Some(Terminal::Final { meta, .. }) if self.has_failed_tool && !meta.degraded => Outcome::Undeclared,
            Some(Terminal::Final { meta, .. }) => meta.outcome(f64::INFINITY),
            None => Outcome::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: &str = r#"{"type":"started","session_id":"s"}"#;
    const HI: &str = r#"{"type":"delta","content":"Hi"}"#;
    const THERE: &str = r#"{"type":"delta","content":" there"}"#;
    const FINAL: &str = r#"{"type":"final","content":"Hi there","meta":{"degraded":false}}"#;
    const LESS: &str = r#"{"type":"final","content":"Hi there","meta":{"degraded":true}}"#;
    const TOOL: &str = r#"{"type":"tool_call","id":"1","name":"search_flights","args":{}}"#;
    const FAILED: &str =
        r#"{"type":"tool_result","id":"1","name":"search_flights","status":"error","result":"timeout"}"#;
    const WORKED: &str = r#"{"type":"tool_result","id":"1","name":"search_flights","status":"success","result":{}}"#;

    /// Reads the events, one every 10 ms from 100 ms.
    fn read(events: &[&str]) -> (Stream, Outcome, Option<Said>) {
        let mut chat = ChatStream::default();
        for (position, event) in (0..).zip(events) {
            chat.read(100_000_000 + position * 10_000_000, format!("data: {event}\n\n").as_bytes());
        }
        chat.finish()
    }

    #[track_caller]
    fn check(events: &[&str], expected: Outcome, ended_properly: bool) {
        let (stream, outcome, _) = read(events);
        assert_eq!((outcome, stream.ended_properly), (expected, ended_properly), "{events:?}");
    }

    #[test]
    fn every_ending_has_its_class() {
        use Outcome::{Degraded, DependencyError, Full, Shed, Undeclared, Wrong};
        let error = |rest: &str| format!(r#"{{"type":"error","code":"LLM_ERROR","message":"m"{rest}}}"#);
        let (llm, bug, bare) = (error(r#","status":503"#), error(r#","status":500"#), error(""));
        let shed = r#"{"type":"error","code":"CONCURRENT_LIMIT_EXCEEDED","message":"m","status":503}"#;
        check(&[STARTED, HI, THERE, FINAL, "[DONE]"], Full, true);
        check(&[STARTED, HI, THERE, LESS, "[DONE]"], Degraded, true);
        check(&[STARTED, TOOL, WORKED, HI, THERE, FINAL, "[DONE]"], Full, true);
        check(&[STARTED, TOOL, FAILED, HI, THERE, LESS, "[DONE]"], Degraded, true);
        check(&[STARTED, TOOL, FAILED, HI, THERE, FINAL, "[DONE]"], Undeclared, true);
        check(&[STARTED, HI, &llm, "[DONE]"], DependencyError, true);
        check(&[STARTED, shed, "[DONE]"], Shed, true);
        check(&[STARTED, HI, &bug, "[DONE]"], Wrong, true);
        check(&[STARTED, HI, &bare, "[DONE]"], Wrong, true);
        // The sad half: no end, two ends, nothing, noise.
        check(&[STARTED, HI, THERE, FINAL], Wrong, false);
        check(&[STARTED, HI, THERE, "[DONE]"], Wrong, false);
        check(&[STARTED, HI, THERE, FINAL, FINAL, "[DONE]"], Wrong, false);
        check(&[STARTED, HI, THERE, FINAL, &llm, "[DONE]"], Wrong, false);
        check(&[STARTED, HI, FINAL, THERE, "[DONE]"], Wrong, false);
        check(&[STARTED, HI, THERE, FINAL, "[DONE]", "[DONE]"], Wrong, false);
        check(&[STARTED, HI, FINAL, "[DONE]"], Wrong, true);
        check(&[STARTED, r#"{"type":"final","content":"","meta":{"degraded":false}}"#, "[DONE]"], Wrong, true);
        check(&[STARTED, r#"{"type":"final","content":"Hi there"}"#, "[DONE]"], Wrong, false);
        check(&[STARTED, r#"{"type":"surprise"}"#, HI, THERE, FINAL, "[DONE]"], Wrong, false);
        check(&[STARTED, "not json", HI, THERE, FINAL, "[DONE]"], Wrong, false);
        check(&[], Wrong, false);
        check(&["[DONE]"], Wrong, false);
    }

    #[test]
    fn instants_and_gaps_are_those_of_the_text() {
        let (stream, ..) = read(&[STARTED, TOOL, WORKED, HI, THERE, FINAL, "[DONE]"]);
        assert_eq!(stream.first_event_ns, Some(100_000_000));
        assert_eq!(stream.first_token_ns, Some(130_000_000));
        assert_eq!(stream.gaps_ns, [10_000_000]);
    }

    #[test]
    fn what_was_said_is_kept_unless_the_service_says_that_it_is_not() {
        let said = |last: &str| read(&[STARTED, HI, THERE, last, "[DONE]"]).2;
        let expected = Said { session_id: "s".into(), content: "Hi there".into(), is_kept: true };
        assert_eq!(said(FINAL), Some(expected.clone()));
        let lost = r#"{"type":"final","content":"Hi there","meta":{"degraded":true,"degraded_reasons":["history_not_saved"]}}"#;
        assert_eq!(said(lost), Some(Said { is_kept: false, ..expected }));
        assert_eq!(said(r#"{"type":"error","code":"LLM_ERROR","message":"m","status":503}"#), None);
    }

    #[test]
    fn a_stream_cut_within_an_event_is_wrong() {
        let mut chat = ChatStream::default();
        for event in [STARTED, HI, THERE, FINAL] {
            chat.read(1, format!("data: {event}\n\n").as_bytes());
        }
        chat.read(2, b"data: [DONE]");
        let (stream, outcome, _) = chat.finish();
        assert_eq!((outcome, stream.ended_properly), (Outcome::Wrong, false));
    }
}
