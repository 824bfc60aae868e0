//! What users do: one file per journey, with its requests and what it takes for an answer to be right.
//!
//! A new journey is one new file and one line in [`ALL`].
mod chat;
mod flight_search;
mod trip_creation;

use crate::visit::Visit;
use futures_util::future::BoxFuture;

/// Every journey that a scenario may name, in the order of tables.
pub static ALL: [&(dyn Journey + 'static); 3] =
    [&flight_search::FlightSearch, &chat::Chat, &trip_creation::TripCreation];

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
