//! Chat: a user asks a question and reads the streamed answer to its end.
use super::{Journey, Step};
use crate::{client::post, feeders, visit::Visit};
use futures_util::future::BoxFuture;
use http::Uri;
use serde_json::json;

const MESSAGE: usize = 0;
const PATH: &str = "/api/v1/chat";

/// The journey of one question, in a session of its own.
pub(super) struct Chat;

impl Journey for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn steps(&self) -> &'static [Step] {
        &[Step { name: "chat.message", is_streamed: true }]
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let prompt = feeders::prompt(&mut visit.draw(), visit.day());
            let body = json!({ "messages": [{ "role": "user", "content": prompt }], "stream": true });
            visit.ask_stream(MESSAGE, post(Uri::from_static(PATH), body.to_string().into_bytes())).await;
        })
    }
}
