//! The bundled target: TripSage, its providers and the links between them, as child processes.
mod child;
mod deaths;
mod part;

mod bundle;
mod bundled;
mod database;
mod target;

pub(crate) use child::{Ready, die_with_parent, parent_gone};
pub(crate) use target::{Stack, allowed};
