//! Named faults on named links, on a timeline, held by leases.
//!
//! ```text
//!  scenario ─▶ settings ─▶ timeline ─▶ driver ─▶ control ─HTTP─▶ link (or a real Toxiproxy)
//!              (fault: what goes wrong)   └▶ records of when each fault was really on and what it touched
//! ```
mod draw;
pub mod fault;
pub mod link;
