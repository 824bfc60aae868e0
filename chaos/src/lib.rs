//! Named faults on named links, on a timeline, held by leases.
//!
//! ```text
//!  scenario ─▶ settings ─▶ timeline ─▶ driver ─▶ control ─HTTP─▶ link (or a real Toxiproxy)
//!              (fault: what goes wrong)   └▶ records of when each fault was really on and what it touched
//! ```
mod settings;
mod timeline;

mod control;
mod driver;
mod probe;

mod draw;
pub mod fault;
pub mod link;
#[cfg(feature = "toxiproxy")]
mod toxiproxy;

pub use control::{Control, Error as ControlError, Link, Written};
pub use driver::drive;
pub use settings::{Connections, Direction, FaultSettings, Length};
pub use timeline::{Change, Error as TimelineError, Problem, TimedFault, Timeline};
#[cfg(feature = "toxiproxy")]
pub use toxiproxy::{Error as ToxiproxyError, Toxic, Toxiproxy};
