//! Scenario files: what to run, read once and checked as a whole.
mod file;
mod mistake;
mod shipped;
mod stand;
mod target;

pub use file::{Found, Overrides, Scenario, schema};
pub use mistake::{Mistake, Mistakes, nearest};
pub use shipped::{SHIPPED, shipped};
pub use stand::{Program, Stand};
pub use target::{BUNDLED_LINKS, BUNDLED_PARTS, DatabaseKind, Links, Target};
