//! The capacity of a target, by experiment: which rates to try, one run per trial, and the study that follows from them.
//!
//! ```text
//! flags, scenario ─▶ Aim ─▶ Lab: search ⇄ trials ─▶ overload, recovery ─▶ Study ─▶ pages
//! ```
mod aim;
mod flags;
mod growth;
mod lab;
mod standing_fault;
mod trial;

pub(crate) use aim::Aim;
pub use flags::Flags;
pub(crate) use lab::{Found, Lab, Overloaded, gave_way};
pub(crate) use standing_fault::StandingFault;
