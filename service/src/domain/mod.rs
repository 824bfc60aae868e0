//! Types and rules of travel planning: no HTTP, no SQL, no sockets, no clock.

pub(crate) mod agent;
pub(crate) mod amount;
pub(crate) mod audit;
pub(crate) mod booking;
pub(crate) mod booking_state;
pub(crate) mod budget;
pub(crate) mod chat;
pub(crate) mod clock_time;
pub(crate) mod collaboration;
pub(crate) mod conflict;
pub(crate) mod currency;
pub(crate) mod digest;
pub(crate) mod export;
pub(crate) mod flight;
pub(crate) mod intent;
pub(crate) mod itinerary;
pub(crate) mod meta;
pub(crate) mod page;
pub(crate) mod passenger;
pub(crate) mod preferences;
pub(crate) mod storable;
pub(crate) mod summary;
pub(crate) mod trip;
pub(crate) mod trip_patch;
pub(crate) mod user;
pub(crate) mod weather;
