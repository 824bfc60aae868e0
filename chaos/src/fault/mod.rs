//! The catalogue of faults: one file each, with its settings in a scenario, its behaviour on a link, and its tests.
//!
//! A new fault is a new file, a line in [`Fault`] and, if it acts on the connections of a link, a line in `toxics.rs`, or if it acts on a
//! part of the target or is a crowd of clients, a line in `Fault::on_part` or `Fault::on_clients`. Those that act on
//! single requests lie in [`mcp`] and [`llm`].
mod bandwidth;
mod blackhole;
mod close_after;
mod corrupt;
mod down;
mod http_error;
mod latency;
mod limit_data;
mod loss;
mod noop;
mod one_way;
mod refuse;
mod reset_peer;
mod slicer;
mod slow_close;
mod timeout;
mod tls_alert;

mod packets;

mod clients;
pub mod database;
mod process;

pub mod llm;
pub mod mcp;

mod catalogue;
mod request;
mod setting;
mod toxics;

pub use bandwidth::Bandwidth;
pub use catalogue::{Fault, Means};
pub use clients::{ConnectionFlood, LargeBodies, SlowClients};
pub use close_after::CloseAfter;
pub use corrupt::Corrupt;
pub use http_error::HttpError;
pub use latency::Latency;
pub use limit_data::LimitData;
pub use loss::Loss;
pub use process::{CpuLimit, FileDescriptors};
pub use reset_peer::ResetPeer;
pub use setting::Error;
pub use slicer::Slicer;
pub use slow_close::SlowClose;
pub use timeout::Timeout;
pub use tls_alert::{Alert, TlsAlert};

pub(crate) use clients::{Crowd, OnClients};
pub(crate) use process::OnPart;
pub(crate) use request::{WithSettings, request_fault};
pub(crate) use toxics::kind;
