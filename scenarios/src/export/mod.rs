//! What other tools run, out of a scenario.
//!
//! Pure: a scenario and its plan in, text out. What could not be carried over is said beside it.
mod chaostoolkit;

pub(crate) use chaostoolkit::{Exported, export as chaostoolkit};
