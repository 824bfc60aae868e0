//! Connections as users have them: how many, over what, how long they live, and what opening one takes.
//!
//! ```text
//! Settings ─▶ Connections ─▶ a client per user ─▶ its own connection
//!                                              ├▶ a free one of a pool (HTTP/1.1: one request at a time on each)
//!                                              └▶ a stream of a shared one, when its server allows one more (HTTP/2)
//! opening one: name ─▶ address ─▶ TCP ─▶ TLS ─▶ HTTP
//! ```
mod address;
mod connector;
mod pool;
pub mod ports;
mod sender;
mod settings;
mod share;
pub(crate) mod shortage;
mod streams;
mod tls;

pub(crate) use connector::{Connector, Opening};
pub(crate) use pool::{Pool, Turn};
pub(crate) use sender::Sender;
pub use settings::{Connection, Http, Resolve};
pub use share::Connections;
pub(crate) use share::Line;
pub(crate) use streams::Streams;
pub use tls::Error;
