//! The request: the part of OpenAI's chat completions that this LLM understands; other fields are ignored.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A chat completion that was asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<ToolChoice>,
    parallel_tool_calls: Option<bool>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    n: Option<u32>,
}

/// One turn of the conversation.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) role: Role,
    content: Option<Content>,
    tool_call_id: Option<String>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Tool {
    function: Function,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    /// A JSON schema.
    #[serde(default)]
    parameters: Value,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FunctionName {
    pub(crate) name: String,
}

/// Whether tools may or must be called.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum ToolChoice {
    Mode(ToolMode),
    Named { function: FunctionName },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToolMode {
    None,
    Auto,
    Required,
}

impl ChatRequest {
    /// Reads and checks a request body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let request: Self = serde_json::from_slice(body).map_err(|error| Refusal::Malformed {
            message: format!("We could not parse the body of your request: {error}"),
        })?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), Refusal> {
        let invalid = |param, message: &str| Err(Refusal::Invalid { param, message: message.to_owned() });
        if self.messages.is_empty() {
            return invalid("messages", "'messages' must have at least one message.");
        }
        if self.messages.iter().any(|message| message.role == Role::Tool && message.tool_call_id.is_none()) {
            return invalid("messages", "Messages with role 'tool' must have a 'tool_call_id'.");
        }
        if self.n.is_some_and(|n| n != 1) {
            return invalid("n", "Only one choice can be generated: 'n' must be 1.");
        }
        if self.max_tokens() == Some(0) {
            return invalid("max_tokens", "'max_tokens' must be at least 1.");
        }
        if self.stream_options.is_some() && !self.is_streamed() {
            return invalid("stream_options", "'stream_options' is only allowed when 'stream' is enabled.");
        }
        Ok(())
    }

    pub(crate) fn is_streamed(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether a stream ends with a chunk about usage.
    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    pub(crate) fn max_tokens(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Whether tools may or must be called; [`ToolMode::Auto`] if the request does not say.
    pub(crate) fn tool_choice(&self) -> &ToolChoice {
        self.tool_choice.as_ref().unwrap_or(&ToolChoice::Mode(ToolMode::Auto))
    }

    /// Whether more than one tool may be called at once.
    pub(crate) fn allows_parallel_calls(&self) -> bool {
        self.parallel_tool_calls.unwrap_or(true)
    }

    /// Whether the function is one of the tools.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// The parameters of the function by name; none if the request does not say.
    pub(crate) fn parameters(&self, name: &str) -> Option<&Map<String, Value>> {
        self.function(name)?.parameters["properties"].as_object()
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.tools.iter().flatten().map(|tool| &tool.function).find(|function| function.name == name)
    }

    /// The last thing the user said, and what tools have answered since.
    pub(crate) fn last_turn(&self) -> (String, Vec<String>) {
        let asked = self.messages.iter().rposition(|message| message.role == Role::User);
        let question = asked.map_or_else(String::new, |index| self.messages[index].text());
        let since = &self.messages[asked.map_or(0, |index| index + 1)..];
        let results = since.iter().filter(|message| message.role == Role::Tool);
        (question, results.map(Message::text).collect())
    }

    /// A common estimate: four letters to a token, four tokens around each message.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.messages.iter().map(|message| 4 + message.text().chars().count().div_ceil(4) as u64).sum()
    }
}

impl Message {
    pub(crate) fn text(&self) -> String {
        match &self.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().map(|part| part.text.as_str()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "parse the body")]
    #[case("[]", "parse the body")]
    #[case(r#"{"messages":[{"role":"user","content":"hi"}]}"#, "missing field `model`")]
    #[case(r#"{"model":"m"}"#, "missing field `messages`")]
    #[case(r#"{"model":"m","messages":[]}"#, "at least one message")]
    #[case(r#"{"model":"m","messages":[{"role":"robot","content":"hi"}]}"#, "unknown variant `robot`")]
    #[case(r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, "did not match any variant")]
    #[case(r#"{"model":"m","messages":[{"role":"tool","content":"{}"}]}"#, "'tool_call_id'")]
    #[case(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":2}"#, "'n' must be 1")]
    #[case(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":0}"#, "at least 1")]
    #[case(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":-1}"#, "parse the body")]
    #[case(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream_options":{}}"#, "'stream' is enabled")]
    fn wrong_bodies_are_refused(#[case] body: &str, #[case] expected: &str) {
        let refusal = ChatRequest::read(body.as_bytes()).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{refusal}");
    }

    #[test]
    fn the_last_turn_starts_at_the_last_user_message() {
        let request = ChatRequest::read(
            br#"{"model":"m","messages":[
                {"role":"user","content":"old"},
                {"role":"tool","tool_call_id":"1","content":"old result"},
                {"role":"user","content":[{"type":"text","text":"ne"},{"type":"text","text":"w"}]},
                {"role":"assistant","content":null,"tool_calls":[]},
                {"role":"tool","tool_call_id":"2","content":"new result"}]}"#,
        );
        assert_eq!(request.unwrap().last_turn(), ("new".to_owned(), vec!["new result".to_owned()]));
    }
}
