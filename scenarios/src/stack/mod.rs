//! The bundled target: TripSage, its providers and the links between them, as child processes.
mod bundled;
mod child;
mod target;

pub(crate) use child::{Ready, parent_gone};
pub(crate) use target::{Stack, allowed};
