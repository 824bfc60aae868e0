//! Whether a launch is ready: a checklist whose rows are bound to evidence with its date, or to a person who signs.
//!
//! ```text
//! checklist, signatures ─┐
//! runs, studies ─▶ evidence ─▶ judge ─▶ a state per row ─▶ exit code
//! ```
mod checklist;
mod evidence;
mod judge;

pub use checklist::{Checklist, Error, Need, Row, Signature, Signatures};
pub use evidence::{Evidence, Kind, Outcome, of_run, of_study};
pub use judge::{Judged, Proof, Readiness, State, judge};
