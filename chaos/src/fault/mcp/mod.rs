//! Faults of MCP servers: single JSON-RPC requests fail, or are answered wrongly, over streamable HTTP of both eras.
//!
//! A new fault is a new file, a line in [`McpFault`] and one in its `as_fault`.
mod answer_lost;
mod duplicate_answer;
mod malformed_json;
mod no_answer;
mod oversized;
mod protocol_refused;
mod rpc_error;
mod schema_violation;
mod session_lost;
mod slow_drip;
mod stalled;
mod tool_changed;
mod tool_error;
mod tool_missing;
mod truncated;
mod wrong_content;
mod wrong_id;

mod catalogue;
mod content;

pub use answer_lost::AnswerLost;
pub use catalogue::McpFault;
pub use duplicate_answer::DuplicateAnswer;
pub use malformed_json::{Malformation, MalformedJson};
pub use no_answer::NoAnswer;
pub use oversized::Oversized;
pub use protocol_refused::ProtocolRefused;
pub use rpc_error::RpcError;
pub use schema_violation::{SchemaViolation, Violation};
pub use session_lost::SessionLost;
pub use slow_drip::SlowDrip;
pub use stalled::Stalled;
pub use tool_changed::ToolChanged;
pub use tool_error::ToolError;
pub use tool_missing::ToolMissing;
pub use truncated::Truncated;
pub use wrong_content::WrongContent;
pub use wrong_id::{WrongId, WrongIdAs};
