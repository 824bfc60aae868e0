//! The traveller: one user does it all in sequence, with pauses to think: search, chat, trip, itinerary, booking.
use super::{
    Journey, Step, booking, chat,
    flight_search::{self, Which},
    itinerary,
    trip::{self, Size},
};
use crate::{feeders, visit::Visit};
use futures_util::future::BoxFuture;

const SEARCH: usize = 0;
const CHAT: usize = 1;
const TRIP: usize = 2;
const ITINERARY: usize = 3;
const BOOKING: usize = 5;

/// The journey of one whole journey.
pub(super) struct Traveller;

impl Journey for Traveller {
    fn name(&self) -> &'static str {
        "traveller"
    }

    fn steps(&self) -> &'static [Step] {
        const ALL: [Step; 8] = [
            flight_search::STEP,
            chat::STEP,
            trip::CREATE,
            itinerary::STEPS[0],
            itinerary::STEPS[1],
            booking::STEPS[0],
            booking::STEPS[1],
            booking::STEPS[2],
        ];
        &ALL
    }

    fn requests_max(&self) -> u64 {
        self.steps().len() as u64 - 1 + booking::LOOKS_MAX
    }

    fn writes(&self) -> bool {
        true
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // What a part asks for must not depend on how often another one, which goes on after an answer, has drawn.
            let [mut searching, mut chatting, mut creating, mut planning, mut booking] =
                ["search", "chat", "trip", "itinerary", "booking"].map(|part| visit.draw_for(part));
            let found = flight_search::search(visit, SEARCH, &mut searching, Which::Own).await;
            let prompt = feeders::prompt(&mut chatting, visit.day());
            chat::converse(visit, CHAT, &mut chatting, prompt, 0).await;
            let Some(trip) = trip::create(visit, TRIP, &mut creating, Size::Usual).await else { return };
            itinerary::plan(visit, ITINERARY, &mut planning, &trip).await;
            if let Some((search, Some(offer_id))) = found {
                booking::book(visit, BOOKING, &mut booking, &search, offer_id, &trip).await;
            }
        })
    }
}
