//! A chat: what is asked, what happens meanwhile, what is answered.

use garde::Validate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{agent::Agent, handoff::Handoff, meta::Meta};

/// Longest message, in characters.
pub(crate) const CONTENT_CHARS_MAX: usize = 32_768;
/// Most messages of a session that the model is shown.
pub(crate) const HISTORY_MESSAGES_MAX: u32 = 50;
/// Most tokens of history that the model is shown.
const HISTORY_TOKENS_MAX: usize = 4_000;
/// The usual estimate for English text.
const CHARS_PER_TOKEN: usize = 4;

/// A request to chat.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatRequest {
    #[garde(length(min = 1, max = 100), dive)]
    pub(crate) messages: Vec<Message>,
    #[serde(default)]
    #[garde(skip)]
    pub(crate) session_id: Option<Uuid>,
    /// Answer as a stream of events rather than as one JSON object.
    #[serde(default = "yes")]
    #[garde(skip)]
    pub(crate) stream: bool,
    /// Keep the messages, so that the session can go on.
    #[serde(default = "yes")]
    #[garde(skip)]
    pub(crate) save_history: bool,
    #[serde(default)]
    #[garde(range(min = 0.0, max = 2.0))]
    pub(crate) temperature: Option<f64>,
    #[serde(default)]
    #[garde(range(min = 1, max = 4_096))]
    pub(crate) max_tokens: Option<u32>,
    /// Names of the tools that may be used; all when absent.
    #[serde(default)]
    #[garde(inner(length(max = 32)))]
    pub(crate) tools: Option<Vec<String>>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    #[garde(skip)]
    pub(crate) role: Role,
    #[garde(length(min = 1))]
    pub(crate) content: String,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    User,
    Assistant,
    System,
}

/// What a stream tells, in this order: `Started`, then any of the middle four, then exactly one of `Final` and `Error`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ChatEvent {
    Started { session_id: Uuid },
    Handoff(Handoff),
    ToolCall { id: String, name: String, args: Value },
    ToolResult(ToolResult),
    Delta { content: String },
    Final(Box<ChatAnswer>),
    Error { code: &'static str, message: &'static str, status: u16, session_id: Uuid },
}

/// What a tool gave.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ToolResult {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: ToolStatus,
    /// The result, or what went wrong.
    pub(crate) result: Value,
}

/// A tool call, from the model's wish to what came of it.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct ToolUse {
    pub(crate) id: String,
    pub(crate) name: String,
    /// As the model wrote them; null when that was no JSON.
    pub(crate) args: Value,
    pub(crate) status: ToolStatus,
    /// The result, or what went wrong.
    pub(crate) result: Value,
}

/// How a tool call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolStatus {
    Success,
    Error,
}

/// The whole answer: the body of a JSON chat, the `final` event of a stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ChatAnswer {
    pub(crate) id: Uuid,
    pub(crate) session_id: Uuid,
    pub(crate) content: String,
    pub(crate) tool_calls: Vec<ToolUse>,
    pub(crate) finish_reason: FinishReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) routed_to: Option<Agent>,
    pub(crate) handoffs: Vec<Handoff>,
    pub(crate) created_at: Timestamp,
    pub(crate) meta: Meta,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinishReason {
    /// It has said what it had to say.
    #[default]
    Stop,
    /// `max_tokens` is used up.
    Length,
    /// A filter of its provider stopped it.
    ContentFilter,
}

/// Tokens used, as the model counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
}

impl ToolResult {
    /// The whole call that it came of.
    pub(crate) fn with_args(self, args: Value) -> ToolUse {
        let Self { id, name, status, result } = self;
        ToolUse { id, name, args, status, result }
    }
}

impl Usage {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
        }
    }
}

impl FinishReason {
    /// The reason of that name; tool calls and unknown reasons are `Stop`.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "length" => Self::Length,
            "content_filter" => Self::ContentFilter,
            _ => Self::Stop,
        }
    }
}

impl Role {
    /// Its name in JSON and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }

    /// The role of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::User, Self::Assistant, Self::System].into_iter().find(|role| role.as_str() == name)
    }
}

impl ChatRequest {
    /// Whether any message is longer than allowed.
    pub(crate) fn is_too_long(&self) -> bool {
        let is_long = |message: &Message| message.content.chars().nth(CONTENT_CHARS_MAX).is_some();
        self.messages.iter().any(is_long)
    }

    /// SHA-256 of what is asked for, in hexadecimal. In which form the answer comes is no part of it.
    pub(crate) fn fingerprint(&self) -> String {
        let asked =
            json!([self.messages, self.session_id, self.save_history, self.temperature, self.max_tokens, self.tools]);
        Sha256::digest(asked.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the tool of that name may be used.
    pub(crate) fn admits_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|tool| tool == name))
    }
}

/// The newest messages that fit the token budget, oldest first. Takes them newest first.
pub(crate) fn recent(newest_first: impl IntoIterator<Item = Message>) -> Vec<Message> {
    let mut left = HISTORY_TOKENS_MAX * CHARS_PER_TOKEN;
    let mut kept: Vec<_> = newest_first
        .into_iter()
        .map_while(|message| {
            left = left.checked_sub(message.content.len())?;
            Some(message)
        })
        .collect();
    kept.reverse();
    kept
}

/// The newest message, and of those before it what the model is shown of a history.
pub(crate) fn within_budget(mut messages: Vec<Message>) -> Vec<Message> {
    let newest = messages.pop();
    let history = recent(messages.into_iter().rev().take(HISTORY_MESSAGES_MAX as usize));
    history.into_iter().chain(newest).collect()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &str) -> Message {
        Message { role: Role::User, content: content.into() }
    }

    #[test]
    fn history_keeps_the_newest_that_fit_in_order() {
        let long = "x".repeat(HISTORY_TOKENS_MAX * CHARS_PER_TOKEN - 2);
        let kept = recent([message("c"), message("b"), message(&long), message("a")]);
        assert_eq!(kept, [message(&long), message("b"), message("c")]);
        let cut = recent([message("cc"), message("b"), message(&long)]);
        assert_eq!(cut, [message("b"), message("cc")]);
        assert!(recent([]).is_empty());
    }

    #[test]
    fn the_newest_message_is_kept_whatever_its_length_and_fifty_before_it() {
        let long = "x".repeat(HISTORY_TOKENS_MAX * CHARS_PER_TOKEN);
        assert_eq!(within_budget(vec![message("a"), message(&long), message(&long)]), [message(&long), message(&long)]);
        let many: Vec<_> = (0..100).map(|number| message(&number.to_string())).collect();
        assert_eq!(within_budget(many.clone()), many[49..]);
        assert_eq!(within_budget(many[..51].to_vec()), many[..51]);
        assert!(within_budget(Vec::new()).is_empty());
    }

    fn request(content: &str) -> ChatRequest {
        ChatRequest {
            messages: vec![message(content)],
            session_id: None,
            stream: true,
            save_history: true,
            temperature: None,
            max_tokens: None,
            tools: None,
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(!request(&"é".repeat(CONTENT_CHARS_MAX)).is_too_long());
        assert!(request(&"é".repeat(CONTENT_CHARS_MAX + 1)).is_too_long());
    }

    #[test]
    fn only_the_form_of_the_answer_is_no_part_of_the_fingerprint() {
        let of = |change: fn(&mut ChatRequest)| {
            let mut request = request("Hello");
            change(&mut request);
            request.fingerprint()
        };
        let plain = of(|_| {});
        assert_eq!(plain.len(), 64);
        assert_eq!(plain, of(|request| request.stream = false));
        let others: [fn(&mut ChatRequest); 6] = [
            |request| request.messages[0].content.push('!'),
            |request| request.session_id = Some(Uuid::nil()),
            |request| request.save_history = false,
            |request| request.temperature = Some(1.0),
            |request| request.max_tokens = Some(1),
            |request| request.tools = Some(Vec::new()),
        ];
        for other in others {
            assert_ne!(plain, of(other));
        }
    }
}
