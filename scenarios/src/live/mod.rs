//! What can be seen of a run while it goes on, and who looks: the display, the dashboard, Prometheus, an OTLP collector.
//!
//! ```text
//! recorder thread ─▶ Watch ─▶ Board ─▶ progress, dashboard, /metrics, OTLP
//!                      └─▶ gates ─▶ abort
//! ```
mod board;
mod history;
mod totals;
mod watch;

mod listener;
mod observers;
mod otlp;
mod page;
mod prometheus;
#[cfg(test)]
mod scene;

pub(crate) use board::{Aborted, Board, standing};
pub(crate) use observers::Bound;
pub(crate) use page::now as as_json;
pub(crate) use watch::Watch;
