//! Recorded arrivals as they are found outside: read from access logs, JSON lines, plain lists and the folders of earlier runs.
//!
//! ```text
//! file ─▶ lines ─▶ instants ─▶ (known by the second alone: spread over it) ─▶ due times since the first
//! run  ─▶ its scenario, flags, seed and day ─▶ its plan ─▶ due times
//! ```
mod draft;
mod earlier;
mod line;
mod log;
mod source;

pub(crate) use draft::draft;
pub(crate) use earlier::Earlier;
pub(crate) use line::{Format, Line};
pub(crate) use log::Log;
pub(crate) use source::read;
