//! Watches the target as its operators do: reads its `/metrics` once a second, and asks of its alert rules what they would have told.
//!
//! ```text
//! [monitoring] ─▶ Watched ─▶ Watch (a look per second) ─▶ metrics.txt, alerts.yaml ─▶ reports::alerts
//!                                                            └─▶ promtool, where it is installed
//! ```
mod looks;
mod promtool;
mod settings;
mod watch;

pub use settings::{Monitoring, Watched};
pub(crate) use watch::{Seen, Watch};
