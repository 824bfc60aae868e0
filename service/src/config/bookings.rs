//! Bookings: how stubbornly an outcome that is not known is asked for.

use std::time::Duration;

use super::{Error, Vars, secs};

/// What is done about bookings whose outcome the provider has not told.
#[derive(Debug, Clone, Copy)]
pub struct Bookings {
    /// `TRIPSAGE_BOOKINGS_RETRY_WAIT`: wait before the first further attempt, and how often due ones are looked for; the
    /// wait doubles with each attempt, up to 5 minutes. Default `1s`.
    pub retry_wait: Duration,
    /// `TRIPSAGE_BOOKINGS_ATTEMPTS`: further attempts before a booking stays without a confirmation. Default 20, about
    /// an hour.
    pub attempts: u32,
}

impl Bookings {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        Ok(Self {
            retry_wait: vars.duration("TRIPSAGE_BOOKINGS_RETRY_WAIT", secs(1))?,
            attempts: vars.count("TRIPSAGE_BOOKINGS_ATTEMPTS", 20)?,
        })
    }
}
