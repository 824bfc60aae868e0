//! The LLM: OpenAI's chat completions, streamed or not, with tool calls, at `/v1/chat/completions`.
//!
//! What it says is a pure function of the seed and the conversation (and of today, for dates nobody named); how
//! long it takes, of the seed and the number of the call.

mod place;
mod request;

mod wish;

mod answer;

mod completion;
mod refusal;

mod endpoint;

pub(crate) use endpoint::open;
