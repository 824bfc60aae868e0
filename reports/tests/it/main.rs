//! The record, the verdict and the pages of runs that never happened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod folder;
mod gates;
mod golden;
mod nasty;
mod synthetic;
mod trust;
mod validity;
