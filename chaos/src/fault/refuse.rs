//! `refuse`: new connections are refused by the kernel, as if nobody listened; open ones live on.
//!
//! The link shuts its door while the toxic is on it. What flows on open connections passes untouched.
use super::noop;
use crate::link::{HELD_LITTLE, Kind, Reach};

pub(super) const KIND: Kind = Kind {
    name: "refuse",
    attributes: &[],
    reach: Reach::Door,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: noop::KIND.start,
};
