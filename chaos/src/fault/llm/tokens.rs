//! The tokens of a streamed answer, one event each.
use crate::forward::{Call, Deed, Event, Rewrite, Step};

/// What ends a stream, and is no token.
const DONE: &str = "[DONE]";

/// Whether the model is asked for an answer, and not for the list of models.
pub(super) fn is_asked(call: &Call) -> bool {
    call.method == "chat/completions"
}

/// Changes tokens by `steps`, which gets the number of those before, and may leave one as it is. An answer that is not
/// streamed is one token.
pub(super) fn each(steps: impl FnMut(&Event, u64) -> Option<Vec<Step>> + Send + 'static) -> Deed {
    Deed::Rewrite(Box::new(Each { steps, before: 0 }))
}

struct Each<S> {
    steps: S,
    before: u64,
}

impl<S: FnMut(&Event, u64) -> Option<Vec<Step>> + Send> Rewrite for Each<S> {
    fn event(&mut self, event: &Event) -> Option<Vec<Step>> {
        let data = event.data();
        if data.trim().is_empty() || data == DONE {
            return None;
        }
        let before = self.before;
        self.before += 1;
        (self.steps)(event, before)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use bytes::Bytes;

    use super::*;
    use crate::forward::RequestFault;

    /// What a fault makes of a stream of three tokens; one piece per event, none where it is left as it is.
    pub(crate) fn streamed(fault: &impl RequestFault) -> Vec<Option<Vec<Step>>> {
        let call = Call { tool: None, ..Call::of_method("chat/completions") };
        assert!(fault.concerns(&call) && !fault.concerns(&Call::of_method("tools/list")));
        let Deed::Rewrite(mut rewrite) = fault.deed(&call) else { panic!("{fault:?} rewrites") };
        let events =
            [": ping\n\n", "data: {\"a\":1}\n\n", "data: {\"a\":2}\n\n", "data: {\"a\":3}\n\n", "data: [DONE]\n\n"];
        let event = |raw: &'static str| Event { raw: Bytes::from_static(raw.as_bytes()), is_streamed: true };
        events.into_iter().map(|raw| rewrite.event(&event(raw))).collect()
    }
}
