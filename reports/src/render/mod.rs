//! Pages and charts of a run, from its report alone: one page per file, one chart per file.
mod calibration;
mod chart;
mod files;
mod json;
mod markdown;
mod page;
mod resilience;
mod run_page;
mod table;
mod tables;
mod terminal;

pub use calibration::{calibration_json, calibration_markdown, calibration_text};
pub use chart::DrawError;
pub use files::{Error, Written, render_all, render_pngs};
pub use json::json;
pub use markdown::markdown;
pub use run_page::run_page;
pub use terminal::{Tone, plain, terminal};
