//! Pages and charts of a run and of a gate, from what is known of them alone: one page per file, one chart per file.
mod alerts;
mod calibration;
mod capacity_page;
mod capacity_tables;
mod capacity_text;
mod chart;
mod files;
mod json;
mod markdown;
mod page;
mod readiness;
mod regression;
mod run_page;
mod table;
mod tables;
mod terminal;

pub use calibration::{calibration_json, calibration_markdown, calibration_text};
pub use capacity_page::capacity_page;
pub use capacity_text::{capacity_json, capacity_markdown, capacity_text};
pub use chart::DrawError;
pub use files::{Error, Written, render_all, render_capacity, render_pngs};
pub use json::json;
pub use markdown::markdown;
pub use readiness::{readiness_json, readiness_markdown, readiness_text};
pub use regression::{regression_json, regression_markdown, regression_page, regression_text};
pub use run_page::run_page;
pub use terminal::{Tone, plain, terminal};
