//! The record, the verdict and the pages of runs that never happened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calibration;
mod course;
mod folder;
mod gates;
mod golden;
mod live;
mod nasty;
mod resilience;
mod resilience_noise;
mod synthetic;
mod trust;
mod validity;
