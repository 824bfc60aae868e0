//! Trip creation: a user saves a trip and opens it, and looks whether it is the one that was saved.
use super::{
    Journey, Step,
    trip::{self, Size},
};
use crate::visit::Visit;
use futures_util::future::BoxFuture;

const CREATE: usize = 0;
const READ: usize = 1;

/// The journey of one new trip and its first reading.
pub(super) struct TripCreation(pub(super) Size);

impl Journey for TripCreation {
    fn name(&self) -> &'static str {
        match self.0 {
            Size::Usual => "trip-creation",
            Size::Large => "trip-creation-large",
        }
    }

    fn steps(&self) -> &'static [Step] {
        &[trip::CREATE, trip::READ]
    }

    fn writes(&self) -> bool {
        true
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut draw = visit.draw();
            let Some(saved) = trip::create(visit, CREATE, &mut draw, self.0).await else { return };
            saved.read(visit, READ).await;
        })
    }
}
