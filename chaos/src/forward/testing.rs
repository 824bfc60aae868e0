//! A fault on a bench: one call, one answer, no sockets.
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Call, Deed, Event, Reply, RequestFault, Step};

pub(crate) struct Bench {
    pub(crate) call: Call,
}

impl Bench {
    /// A call of the tool `search`, with id 7.
    pub(crate) fn new() -> Self {
        Self { call: Call::of_tool("search") }
    }

    /// The tool's answer.
    pub(crate) fn result() -> Value {
        let content = json!({"offers": [{"id": "off_1", "total_amount": 120.5, "total_currency": "EUR",
            "departure_time": "2027-01-31T08:00:00Z"}], "count": 1});
        let text = json!({"type": "text", "text": content.to_string()});
        json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [text], "structuredContent": content, "isError": false}})
    }

    /// The answer that the fault gives by itself.
    pub(crate) fn reply(&self, fault: &impl RequestFault) -> Reply {
        assert!(fault.concerns(&self.call), "{fault:?} {:?}", self.call);
        match fault.deed(&self.call) {
            Deed::Answer(reply) => reply,
            _ => panic!("{fault:?} answers by itself"),
        }
    }

    /// What the fault sends in place of an answer that is JSON, and in place of one that is an event.
    pub(crate) fn steps(&self, fault: &impl RequestFault, answer: &Value) -> [Option<Vec<Step>>; 2] {
        assert!(fault.concerns(&self.call), "{fault:?} {:?}", self.call);
        [false, true].map(|is_streamed| {
            let Deed::Rewrite(mut rewrite) = fault.deed(&self.call) else { panic!("{fault:?} rewrites") };
            let raw = if is_streamed { format!("id: 3\ndata: {answer}\n\n") } else { answer.to_string() };
            rewrite.event(&Event { raw: raw.into(), is_streamed })
        })
    }

    /// The answer after the fault has edited it, the same in both manners; none when it found nothing to edit.
    pub(crate) fn edited(&self, fault: &impl RequestFault, answer: &Value) -> Option<Value> {
        let [plain, streamed] = self.steps(fault, answer).map(|steps| {
            let steps = steps?;
            let [Step::Send(bytes)] = &steps[..] else { panic!("one message, not {steps:?}") };
            Some(bytes.clone())
        });
        let of = |raw: Bytes, is_streamed| Event { raw, is_streamed }.json().expect("it is still JSON");
        let (plain, streamed) = (plain.map(|raw| of(raw, false)), streamed.map(|raw| of(raw, true)));
        assert_eq!(plain, streamed);
        plain
    }
}
