//! Charts, drawn by plotters: as SVG whose colours and fonts are the page's, and as PNG.
//!
//! ```text
//! report ─▶ a chart's data ─▶ draw on a canvas ─┬▶ SVG ─▶ colours become CSS variables
//!                                               └▶ bitmap ─▶ PNG
//! ```
mod axis;
mod bands;
mod canvas;
mod cycles;
mod ecdf;
mod heat;
mod impact;
mod latency;
mod legend;
mod list;
mod load;
mod outcomes;
mod palette;
mod picture;
mod quantiles;
mod rate;
mod scaling;
mod shift;
mod spectrum;
mod streaming;
mod trend;

pub(crate) use canvas::Form;
pub(crate) use legend::{Key, Mark};
pub(crate) use list::{
    all, capacity, cycles, heat, impacts, journeys_of_runs, latencies, load, outcomes, shifts, spectrum, streams,
    trends,
};
pub(crate) use palette::css_variables;
pub use picture::DrawError;
pub(crate) use picture::Picture;
