//! Named faults on named links and on parts of the target, on a timeline, held by leases.
//!
//! ```text
//!  scenario ─▶ settings ─▶ timeline ─▶ driver ─▶ injectors ─▶ control ─HTTP─▶ link (or a real Toxiproxy)
//!                                         │          └─────▶ parts of the target (processes)
//!              (fault: what goes wrong)    └▶ records of when each fault was really on and what it touched
//! ```
mod aim;
mod settings;
mod timeline;

mod place;
mod problem;

mod control;
mod driver;
mod injectors;
mod journal;
mod parts;
mod probe;
mod process;
mod rule_control;
mod sweep;
mod undo;

mod draw;
pub mod fault;
mod forward;
pub mod link;
#[cfg(feature = "toxiproxy")]
mod toxiproxy;

pub use control::{Control, Error as ControlError, Link, Written};
pub use driver::drive;
pub use forward::{Match, Protocol, Selector};
pub use injectors::{Impossible, Injectors, ensure_possible};
pub use journal::{Error as JournalError, Journal};
pub use parts::{Doing, PartError, Parts, SigningKey, Stopped, With};
pub use problem::{Error as TimelineError, Problem};
pub use settings::{Connections, Direction, FaultSettings, Length};
pub use sweep::{Fate, Leftover, sweep};
pub use timeline::{Change, TimedFault, Timeline};
#[cfg(feature = "toxiproxy")]
pub use toxiproxy::{Error as ToxiproxyError, Toxic, Toxiproxy};
