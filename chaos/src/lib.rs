//! Named faults on named links, on a timeline, held by leases.
//!
//! ```text
//!  scenario ─▶ settings ─▶ timeline ─▶ driver ─▶ control ─HTTP─▶ link (or a real Toxiproxy)
//!              (fault: what goes wrong)   └▶ records of when each fault was really on and what it touched
//! ```
mod aim;
mod settings;
mod timeline;

mod control;
mod driver;
mod rule_control;

mod draw;
pub mod fault;
mod forward;
pub mod link;

pub use aim::Problem as AimProblem;
pub use control::{Control, Error as ControlError, Link, Written};
pub use driver::drive;
pub use forward::{Match, Protocol, Selector};
pub use settings::{Direction, FaultSettings, Length};
pub use timeline::{Change, Error as TimelineError, Problem, TimedFault, Timeline};
