//! The record, the verdict and the pages of runs that never happened.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calibration;
mod capacity_page;
mod capacity_search;
mod capacity_trial;
mod course;
mod delta;
mod folder;
mod gates;
mod golden;
mod history;
mod live;
mod mm1;
mod nasty;
mod noise;
mod operating;
mod outputs;
mod regression;
mod resilience;
mod resilience_noise;
mod schema;
mod synthetic;
mod trust;
mod validity;
