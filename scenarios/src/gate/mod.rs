//! A regression gate: two variants of the service, loaded at once by one schedule, cycle by cycle, until the cycles tell.
//!
//! ```text
//! named ─▶ sides ─▶ plan ─▶ ┌ start both ─▶ users ready ─▶ one clock zero ─▶ both halves of the load ─▶ runs ┐ ─▶ verdict
//!             (built)       └──────────────────────────── next cycle ◀── not known yet ◀── look ◀───────────┘
//! ```
mod arm;
mod build;
mod course;
mod cycle;
mod injection;
mod named;
mod plan;
mod self_test;
mod side;

pub(crate) use course::{Course, Ended};
pub use injection::Injection;
pub use named::{Named, parse_share};
pub(crate) use plan::GatePlan;
pub(crate) use self_test::self_test;
pub(crate) use side::{Service, Side, Sides};
