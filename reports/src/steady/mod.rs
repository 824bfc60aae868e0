//! Whether, and from when on, a run is steady: pure statistics over its seconds, and the search that ends an automatic warm-up.
mod change;
mod course;
mod growth;
mod mser;
mod search;

pub use change::Change;
pub(crate) use course::undisturbed_s;
pub use course::{Batches, Course, SHORTEST_S};
pub use growth::Growth;
pub use mser::cut;
pub use search::find_warm_up;
