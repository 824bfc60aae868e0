//! The answer on the wire: one `chat.completion`, or the `chat.completion.chunk`s of a stream.

use serde_json::{Value, json};

use super::answer::{Answer, Call};

/// An answer and what the wire says about it.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) id: String,
    /// Unix time in seconds.
    pub(crate) created: i64,
    pub(crate) model: String,
    pub(crate) answer: Answer,
    pub(crate) prompt_tokens: u64,
}

/// One chunk of a stream.
#[derive(Debug, PartialEq)]
pub(crate) struct Chunk {
    /// How many tokens have been generated when it is sent, at least one.
    pub(crate) token_count: usize,
    pub(crate) body: Value,
}

impl Completion {
    /// How many tokens it takes to generate.
    pub(crate) fn token_count(&self) -> usize {
        match &self.answer {
            Answer::Text { tokens, .. } => tokens.len(),
            // One for the name of the function.
            Answer::Calls(calls) => calls.iter().map(|call| 1 + call.arguments.len()).sum(),
        }
    }

    /// The whole answer.
    pub(crate) fn whole(&self) -> Value {
        let message = match &self.answer {
            Answer::Text { tokens, .. } => json!({"role": "assistant", "content": tokens.concat(), "refusal": null}),
            Answer::Calls(calls) => {
                let calls: Vec<_> = calls.iter().map(|call| call_json(call, &call.arguments.concat())).collect();
                json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": calls})
            }
        };
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason()}],
            "usage": self.usage(),
        })
    }

    /// The stream: the role, a delta per token, the reason to finish, and usage if wanted.
    pub(crate) fn chunks(&self, wants_usage: bool) -> Vec<Chunk> {
        let content = match &self.answer {
            Answer::Text { .. } => json!(""),
            Answer::Calls(_) => Value::Null,
        };
        let role = json!({"role": "assistant", "content": content});
        let deltas = self.deltas();
        let token_count = deltas.len();
        let mut chunks = vec![self.chunk(1, role, None, wants_usage)];
        let generated = deltas.into_iter().zip(1..);
        chunks.extend(generated.map(|(delta, token_count)| self.chunk(token_count, delta, None, wants_usage)));
        chunks.push(self.chunk(token_count, json!({}), Some(self.finish_reason()), wants_usage));
        if wants_usage {
            let mut body = self.chunk_body(json!([]));
            body["usage"] = self.usage();
            chunks.push(Chunk { token_count, body });
        }
        chunks
    }

    /// One per token.
    fn deltas(&self) -> Vec<Value> {
        match &self.answer {
            Answer::Text { tokens, .. } => tokens.iter().map(|token| json!({"content": token})).collect(),
            Answer::Calls(calls) => {
                calls.iter().enumerate().flat_map(|(index, call)| call_deltas(index, call)).collect()
            }
        }
    }

    fn chunk(&self, token_count: usize, delta: Value, finish_reason: Option<&str>, wants_usage: bool) -> Chunk {
        let mut body =
            self.chunk_body(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]));
        if wants_usage {
            body["usage"] = Value::Null;
        }
        Chunk { token_count, body }
    }

    fn chunk_body(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }

    fn finish_reason(&self) -> &'static str {
        match &self.answer {
            Answer::Calls(_) => "tool_calls",
            Answer::Text { is_cut: true, .. } => "length",
            Answer::Text { is_cut: false, .. } => "stop",
        }
    }

    fn usage(&self) -> Value {
        let completion_tokens = self.token_count() as u64;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        })
    }
}

fn call_json(call: &Call, arguments: &str) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.function, "arguments": arguments}})
}

/// The name first, then the arguments piece by piece.
fn call_deltas(index: usize, call: &Call) -> Vec<Value> {
    let mut start = call_json(call, "");
    start["index"] = json!(index);
    let pieces = call.arguments.iter().map(|piece| json!({"index": index, "function": {"arguments": piece}}));
    std::iter::once(start).chain(pieces).map(|call| json!({"tool_calls": [call]})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(answer: Answer) -> Completion {
        Completion { id: "chatcmpl-1".into(), created: 1, model: "m".into(), answer, prompt_tokens: 7 }
    }

    fn hello() -> Completion {
        completion(Answer::Text { tokens: vec!["Hello".into(), " you".into()], is_cut: false })
    }

    #[test]
    fn a_stream_is_role_tokens_finish_and_usage() {
        let chunks = hello().chunks(true);
        let seen: Vec<_> =
            chunks.iter().map(|chunk| (chunk.token_count, chunk.body["choices"][0]["delta"].clone())).collect();
        let expected = [
            (1, json!({"role": "assistant", "content": ""})),
            (1, json!({"content": "Hello"})),
            (2, json!({"content": " you"})),
            (2, json!({})),
            (2, Value::Null),
        ];
        assert_eq!(seen, expected);
        assert_eq!(chunks[3].body["choices"][0]["finish_reason"], "stop");
        assert_eq!(chunks[3].body["usage"], Value::Null);
        assert_eq!(chunks[4].body["choices"], json!([]));
        assert_eq!(chunks[4].body["usage"], json!({"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}));
    }

    #[test]
    fn usage_is_absent_unless_wanted() {
        let chunks = hello().chunks(false);
        assert_eq!(chunks.len(), 4);
        assert!(chunks.iter().all(|chunk| chunk.body.get("usage").is_none()));
        assert_eq!(hello().whole()["usage"]["total_tokens"], 9);
    }

    #[test]
    fn streamed_calls_add_up_to_the_whole_calls() {
        let call = |id: &str| Call {
            id: id.into(),
            function: "search_flights",
            arguments: vec![r#"{"ori"#.into(), r#"gin":1}"#.into()],
        };
        let completion = completion(Answer::Calls(vec![call("a"), call("b")]));
        let mut calls = [json!({"arguments": ""}), json!({"arguments": ""})];
        let chunks = completion.chunks(false);
        for chunk in &chunks {
            for delta in chunk.body["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let call = &mut calls[delta["index"].as_u64().unwrap() as usize];
                if let Some(id) = delta.get("id") {
                    call["id"] = id.clone();
                }
                let piece = delta["function"]["arguments"].as_str().unwrap();
                call["arguments"] = json!(call["arguments"].as_str().unwrap().to_owned() + piece);
            }
        }
        for (streamed, whole) in
            calls.iter().zip(completion.whole()["choices"][0]["message"]["tool_calls"].as_array().unwrap())
        {
            assert_eq!((&streamed["id"], &streamed["arguments"]), (&whole["id"], &whole["function"]["arguments"]));
        }
        assert_eq!(chunks.last().unwrap().body["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(completion.token_count(), 6);
    }

    #[test]
    fn a_cut_text_finishes_for_its_length() {
        let cut = completion(Answer::Text { tokens: vec!["Hello".into()], is_cut: true });
        assert_eq!(cut.whole()["choices"][0]["finish_reason"], "length");
    }
}
