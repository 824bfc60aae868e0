//! The data oracle: every write is journaled while the load runs, and every acknowledged one is read back by its owner afterwards.
//!
//! ```text
//! visits ─▶ mailbox (bounded; full: counted as lost) ─▶ journal thread ─▶ journal.ndjson
//!                                                                              │ (after the load)
//! lists and reads by each owner ─────────────────▶ compared with the ledger ◀──┘ ─▶ lost, duplicated, invented, changed …
//! ```
//! Memory does not grow with the run: the journal is on disk, and the ledgers of a few owners at a time are made from it.
mod journal;
mod ledger;
mod lookup;
mod record;
mod settings;
mod witness;
mod write;

pub(crate) use journal::{Journal, Journaled, Journaling};
pub(crate) use record::Found;
pub use settings::OracleSettings;
pub use witness::Witness;
pub(crate) use write::Own;
pub use write::Write;
