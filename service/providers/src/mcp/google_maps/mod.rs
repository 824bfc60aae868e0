//! The google_maps server: where places are, what is there, how far apart they are and what zone they keep, in the shapes
//! of Google's web services.

mod atlas;

mod zone;

mod server;

pub(crate) use server::open;
