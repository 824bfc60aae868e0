//! A toxic as set on a link, shared by the connections that it hits.
use std::sync::Arc;

use super::{
    counters::ToxicCounters,
    toxic::{Attributes, Kind},
};
use crate::draw::Draw;

/// A toxic as set on a link; every connection that it hits runs its own state machine of it.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Unique within the link and rising with time.
    pub(crate) id: u64,
    /// Rises with every change of the attributes.
    pub(crate) revision: u64,
    pub(crate) kind: &'static Kind,
    pub(crate) attributes: Attributes,
    pub(crate) toxicity: f64,
    /// The branch of decisions of this toxic; one more step is the connection.
    pub(crate) draw: Draw,
    pub(crate) counters: Arc<ToxicCounters>,
}

impl Spec {
    /// Whether the toxic takes hold of this connection: one draw for ever, whatever else changes.
    pub(super) fn hits(&self, connection: u64) -> bool {
        self.draw.numbered(connection).named("toxicity").fraction() < self.toxicity
    }
}
