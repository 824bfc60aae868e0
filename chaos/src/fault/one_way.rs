//! `one_way`: asymmetric loss. One direction falls silent for ever, the other goes on: requests arrive and are served, answers do not come back
//! (`downstream`), or the other way round.
use super::blackhole::Silence;
use crate::link::{HELD_LITTLE, Kind, Reach};

pub(super) const KIND: Kind = Kind {
    name: "one_way",
    attributes: &[],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: false,
    start: |_, _| Box::new(Silence::default()),
};
