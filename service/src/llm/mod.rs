//! The language model, reached over an OpenAI-compatible API, always as a stream.

mod call;
mod client;
mod completion;
mod wire;

pub(crate) use client::{Client, Settings};
pub(crate) use completion::{Completion, Piece, ToolCall};
pub(crate) use wire::{Prompt, PromptMessage, Tool};
