//! The bundled providers of TripSage: MCP servers and an OpenAI-compatible LLM, over real sockets.
//!
//! What they answer is a pure function of a seed and the request (weather also of the date), and so is how long
//! they take: service time number `k` of a provider depends on the seed, the provider and `k` alone. They never
//! misbehave by themselves; faults belong to the links in front of them.
//!
//! ```text
//! Settings ──start──▶ Providers            one listener per Provider (the table in provider.rs)
//!                       ├ mcp/   seven MCP servers            POST /mcp
//!                       └ llm/   chat completions             POST /v1/chat/completions
//!                     pace.rs + service_time.rs: how long each answer takes
//!                     key.rs: whose account a call is for; city.rs: the world they know
//! ```

mod city;
mod currency;
mod instance;
mod key;
mod llm;
mod mcp;
mod pace;
mod provider;
mod recent;
mod server;
mod service_time;
mod settings;
mod source;

pub use instance::{Instance, InvalidInstance};
pub use provider::{Provider, UnknownProvider};
pub use server::{Error, Providers, start};
pub use service_time::{ServiceTime, ServiceTimeError};
pub use settings::{InvalidSettings, LlmSettings, Settings};
