//! Faults of models: single requests to an OpenAI-compatible API fail, or are answered late or in part.
//!
//! A new fault is a new file, a line in [`LlmFault`] and one in its `kind`.
mod cut;
mod invalid_chunk;
mod key_refused;
mod slow_first_token;
mod slow_tokens;

mod catalogue;
mod tokens;

pub use catalogue::LlmFault;
pub use cut::Cut;
pub use invalid_chunk::InvalidChunk;
pub use key_refused::KeyRefused;
pub use slow_first_token::SlowFirstToken;
pub use slow_tokens::SlowTokens;
