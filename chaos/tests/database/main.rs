//! Faults of a real PostgreSQL server as its users meet them. Where PostgreSQL is not installed, each test says that it was skipped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rig;

mod cluster;
mod connections;
mod locks;
mod writes;
