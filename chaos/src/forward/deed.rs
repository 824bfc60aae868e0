//! What a fault does to a request that it hits.
use std::{fmt, time::Duration};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode, header::HeaderValue};
use serde_json::Value;

use super::{Call, Event};
use crate::fault::Error;

/// A fault that acts on single requests.
pub(crate) trait RequestFault: fmt::Debug + fmt::Display + Send + Sync {
    /// Its name in scenarios, records and the HTTP API.
    fn kind(&self) -> &'static str;

    /// Refuses settings that make no sense.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Whether it makes sense for this request; for any unless said otherwise.
    fn concerns(&self, _: &Call) -> bool {
        true
    }

    /// What it does to this request.
    fn deed(&self, call: &Call) -> Deed;
}

/// What happens to a request.
pub(crate) enum Deed {
    /// The link answers; the server is not asked.
    Answer(Reply),
    /// The client gets no answer.
    Silence(Silence),
    /// The server is asked, and its answer is changed on the way.
    Rewrite(Box<dyn Rewrite>),
}

/// An answer of the link's own.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// No answer. The connection stays open until it is closed, or the rule is lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Whether the server is asked, and its answer thrown away.
    pub(crate) asks: bool,
    /// When the connection is closed, since the request (or, where the server is asked, its answer) was here; never when none.
    pub(crate) close_after: Option<Duration>,
}

/// Changes an answer, piece by piece.
pub(crate) trait Rewrite: Send {
    /// What is sent in place of the piece; none leaves it as it is, and what is left is not counted as hit.
    fn event(&mut self, event: &Event) -> Option<Vec<Step>>;
}

/// One step of sending a piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Send(Bytes),
    /// Nothing for a while.
    Wait(Duration),
    /// Nothing until the rule is lifted.
    Hold,
    /// The connection ends here.
    Cut,
}

impl Reply {
    /// An answer in JSON.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self { status, headers, body: body.to_string().into() }
    }
}

impl Deed {
    /// Changes the JSON-RPC answer to the call, in whatever piece it comes, by `steps`, which may leave it as it is.
    pub(crate) fn on_answer(
        call: &Call,
        steps: impl FnMut(&Event, Value) -> Option<Vec<Step>> + Send + 'static,
    ) -> Self {
        Self::Rewrite(Box::new(OnAnswer { id: call.id.clone(), steps }))
    }

    /// Edits the JSON-RPC answer to the call; `edit` says whether it found something to edit.
    pub(crate) fn edit(call: &Call, mut edit: impl FnMut(&mut Value) -> bool + Send + 'static) -> Self {
        Self::on_answer(call, move |event, mut message| {
            edit(&mut message).then(|| vec![Step::Send(event.with_json(&message))])
        })
    }
}

struct OnAnswer<S> {
    id: Value,
    steps: S,
}

impl<S: FnMut(&Event, Value) -> Option<Vec<Step>> + Send> Rewrite for OnAnswer<S> {
    fn event(&mut self, event: &Event) -> Option<Vec<Step>> {
        let message = event.json().filter(|message| message["id"] == self.id && message.get("method").is_none())?;
        (self.steps)(event, message)
    }
}
