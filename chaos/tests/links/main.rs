//! The links as their users meet them: over sockets, with the HTTP API on one side and real connections on the other.
mod rig;

mod api;
mod drive;
mod effects;
mod faults;
mod foreign;
mod leases;
mod streams;
