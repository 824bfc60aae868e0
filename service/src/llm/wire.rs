//! The OpenAI shapes that the client speaks: only the fields it uses.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ToolCall;
use crate::domain::chat::{Message, Usage};

/// What the model is asked.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<PromptMessage>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<u32>,
}

/// One message to the model.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum PromptMessage {
    Text {
        role: &'static str,
        content: String,
    },
    /// The model's own wish to call tools, given back to it.
    ToolCalls {
        role: &'static str,
        content: Option<String>,
        tool_calls: Vec<WireToolCall>,
    },
    ToolResult {
        role: &'static str,
        tool_call_id: String,
        content: String,
    },
}

/// A function that the model may call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// JSON schema of its arguments.
    pub(crate) parameters: fn() -> Value,
}

#[derive(Serialize)]
pub(super) struct WireRequest<'a> {
    model: &'a str,
    messages: &'a [PromptMessage],
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WireTool {
    r#type: &'static str,
    function: WireFunction,
}

#[derive(Serialize)]
struct WireFunction {
    name: &'static str,
    description: &'static str,
    parameters: Value,
}

/// A tool call within an assistant message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct WireToolCall {
    id: String,
    r#type: &'static str,
    function: CalledFunction,
}

#[derive(Debug, Clone, Serialize)]
struct CalledFunction {
    name: String,
    arguments: String,
}

/// One `data:` line of the stream.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    /// Set when the model fails in the middle of its answer.
    #[serde(default)]
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) delta: Delta,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<ToolCallDelta>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCallDelta {
    pub(super) index: usize,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<String>,
}

impl ToolCallDelta {
    /// Bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let function = self.function.as_ref();
        let texts = [
            self.id.as_ref(),
            function.and_then(|function| function.name.as_ref()),
            function.and_then(|function| function.arguments.as_ref()),
        ];
        texts.into_iter().flatten().map(String::len).sum()
    }
}

impl PromptMessage {
    pub(crate) fn system(content: impl Into<String>) -> Self {
        Self::Text { role: "system", content: content.into() }
    }

    /// The model's wish to call these tools.
    pub(crate) fn tool_calls(calls: &[ToolCall]) -> Self {
        let wire = |call: &ToolCall| WireToolCall {
            id: call.id.clone(),
            r#type: "function",
            function: CalledFunction { name: call.name.clone(), arguments: call.arguments.clone() },
        };
        Self::ToolCalls { role: "assistant", content: None, tool_calls: calls.iter().map(wire).collect() }
    }

    /// What a tool gave.
    pub(crate) fn tool_result(call_id: &str, content: String) -> Self {
        Self::ToolResult { role: "tool", tool_call_id: call_id.to_owned(), content }
    }
}

impl From<Message> for PromptMessage {
    fn from(message: Message) -> Self {
        Self::Text { role: message.role.as_str(), content: message.content }
    }
}

impl<'a> WireRequest<'a> {
    pub(super) fn new(model: &'a str, prompt: &'a Prompt) -> Self {
        let wire = |tool: &Tool| WireTool {
            r#type: "function",
            function: WireFunction { name: tool.name, description: tool.description, parameters: (tool.parameters)() },
        };
        Self {
            model,
            messages: &prompt.messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: prompt.tools.iter().map(wire).collect(),
            temperature: prompt.temperature,
            max_tokens: prompt.max_tokens,
        }
    }
}
