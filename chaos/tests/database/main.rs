//! Faults of real databases as their users meet them. Where PostgreSQL is not installed, each test that needs it says that it was skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rig;

mod cluster;
mod connections;
mod drive;
mod locks;
mod writes;
