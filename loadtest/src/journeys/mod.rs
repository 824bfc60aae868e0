//! What users do: one file per journey, with its requests and what it takes for an answer to be right.
//!
//! A new journey is one new file and one line in [`ALL`].
mod booking;
mod chat;
mod collaboration;
mod flight_search;
mod itinerary;
mod token_refresh;
mod traveller;
mod trip;
mod trip_creation;

use crate::visit::Visit;
use booking::BookingJourney;
use chat::{Chat, Length};
use collaboration::Collaboration;
use flight_search::{FlightSearch, Which};
use futures_util::future::BoxFuture;
use token_refresh::TokenRefresh;
use traveller::Traveller;
use trip::Size;
use trip_creation::TripCreation;

/// Every journey that a scenario may name, in the order of tables.
pub static ALL: [&(dyn Journey + 'static); 11] = [
    &FlightSearch(Which::Any),
    &FlightSearch(Which::Popular),
    &FlightSearch(Which::Own),
    &Chat(Length::Short),
    &Chat(Length::Long),
    &TripCreation(Size::Usual),
    &TripCreation(Size::Large),
    &BookingJourney,
    &Collaboration,
    &TokenRefresh,
    &Traveller,
];

/// A journey: steps in an order, each a request whose answer is looked into.
pub trait Journey: Send + Sync {
    /// Its name in scenarios.
    fn name(&self) -> &str;

    /// Its steps, in the order of their position.
    fn steps(&self) -> &[Step];

    /// Whether its user must be logged in.
    fn needs_session(&self) -> bool {
        true
    }

    /// Whether it writes records that its users can read back.
    fn writes(&self) -> bool {
        false
    }

    /// The most requests of one arrival: as many as it has steps, unless it repeats some.
    fn requests_max(&self) -> u64 {
        self.steps().len() as u64
    }

    /// Users that it takes at least: its own, and those whom it meets.
    fn users_min(&self) -> u32 {
        1
    }

    /// Carries out one arrival. Ends early when a step fails, or the run is to end.
    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()>;
}

/// One request of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its name in gates and tables, such as `flights.search`.
    pub name: &'static str,
    /// Whether its answer is a stream of events.
    pub is_streamed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_that_repeat_a_step_say_how_often() {
        for journey in ALL {
            let steps = journey.steps().len() as u64;
            // A booking is looked at every 500 ms for 30 s.
            let expected = match journey.name() {
                "chat-long" => 5,
                "booking" | "traveller" => steps - 1 + 60,
                _ => steps,
            };
            assert_eq!(journey.requests_max(), expected, "{}", journey.name());
        }
    }
}
