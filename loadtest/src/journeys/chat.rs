//! Chat: a user asks a question, or several in one session, and reads each streamed answer to its end.
use super::{Journey, Step};
use crate::{client::post, draw::Draw, feeders, visit::Visit};
use futures_util::future::BoxFuture;
use http::Uri;
use reports::record::{Outcome, RecordKind};
use serde_json::json;

const MESSAGE: usize = 0;
const PATH: &str = "/api/v1/chat";

/// Questions after the first one of a long session.
const FURTHER_MIN: u32 = 2;
const FURTHER_MAX: u32 = 4;

/// How many questions are asked in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// One.
    Short,
    /// Three to five.
    Long,
}

/// The step of a question with its streamed answer.
pub(super) const STEP: Step = Step { name: "chat.message", is_streamed: true };

/// The journey of one session of its own.
pub(super) struct Chat(pub(super) Length);

impl Journey for Chat {
    fn name(&self) -> &'static str {
        match self.0 {
            Length::Short => "chat",
            Length::Long => "chat-long",
        }
    }

    fn steps(&self) -> &'static [Step] {
        &[STEP]
    }

    fn requests_max(&self) -> u64 {
        match self.0 {
            Length::Short => 1,
            Length::Long => u64::from(1 + FURTHER_MAX),
        }
    }

    fn writes(&self) -> bool {
        true
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut draw = visit.draw();
            let prompt = feeders::prompt(&mut draw, visit.day());
            let further = match self.0 {
                Length::Short => 0,
                Length::Long => draw.between(FURTHER_MIN, FURTHER_MAX),
            };
            converse(visit, MESSAGE, &mut draw, prompt, further).await;
        })
    }
}

/// Asks one question, and further ones while the answers are whole.
pub(super) async fn converse(visit: &mut Visit<'_>, step: usize, draw: &mut Draw, mut prompt: String, further: u32) {
    let mut write = visit.new_record(RecordKind::Chat);
    let (mut session_id, mut said_before) = (None, Vec::new());
    for _ in 0..=further {
        let mut body = json!({ "messages": [{ "role": "user", "content": prompt }], "stream": true });
        if let Some(session_id) = &session_id {
            body["session_id"] = json!(session_id);
        }
        let request = post(Uri::from_static(PATH), body.to_string().into_bytes());
        let Some((Outcome::Full, Some(said))) = visit.chat(step, request, &write, &mut said_before, &prompt).await
        else {
            return;
        };
        session_id = Some(said.session_id);
        write = write.change();
        prompt = feeders::prompt(draw, visit.day());
    }
}
