//! Pages and charts of a run and of a gate, from what is known of them alone: one page per file, one chart per file.
mod alerts;
mod calibration;
mod capacity_page;
mod capacity_tables;
mod capacity_text;
mod chart;
mod csv;
mod delta;
mod delta_tables;
mod files;
mod format;
mod github;
mod hgrm;
mod json;
mod junit;
mod markdown;
mod matrix;
mod page;
mod past;
mod readiness;
mod regression;
mod resilience;
mod run_page;
mod self_test;
mod table;
mod tables;
mod terminal;
mod trend;

pub use calibration::{calibration_json, calibration_markdown, calibration_text};
pub use capacity_page::capacity_page;
pub use capacity_text::{capacity_json, capacity_markdown, capacity_text};
pub use chart::DrawError;
pub use delta::{delta_json, delta_markdown, delta_page, delta_text};
pub use files::{Error, Written, render_all, render_capacity, render_gate, render_pngs, write_format};
pub use format::{Document, FORMATS, Format};
pub use github::annotations;
pub use json::{json, json_schema};
pub use markdown::markdown;
pub use matrix::{matrix_json, matrix_markdown, matrix_page, matrix_png, matrix_text};
pub use past::{past_json, past_markdown, past_text};
pub use readiness::{readiness_json, readiness_markdown, readiness_text};
pub use regression::{regression_json, regression_markdown, regression_page, regression_text};
pub use run_page::run_page;
pub use self_test::{self_test_json, self_test_markdown, self_test_page, self_test_text};
pub use terminal::{Tone, plain, terminal};
pub use trend::{
    changes_text, points_markdown, points_text, stored_markdown, stored_text, trend_json, trend_markdown, trend_page,
    trend_text,
};
