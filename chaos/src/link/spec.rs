//! A toxic as set on a link, shared by the connections that it hits.
use std::sync::Arc;

use super::{
    choice::{Census, Choice},
    counters::ToxicCounters,
    toxic::{Attributes, Kind},
};
use crate::draw::Draw;

/// A toxic as set on a link; every connection that it hits runs its own state machine of it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Unique within the link and rising with time.
    pub(crate) id: u64,
    /// Rises with every change of the attributes.
    pub(crate) revision: u64,
    pub(crate) kind: &'static Kind,
    pub(crate) attributes: Attributes,
    pub(crate) toxicity: f64,
    pub(crate) choice: Choice,
    /// The connections that there were when the toxic was put on.
    pub(crate) census: Arc<Census>,
    /// The branch of decisions of this toxic; one more step is the connection.
    pub(crate) draw: Draw,
    pub(crate) counters: Arc<ToxicCounters>,
}

impl Spec {
    /// Whether all that can be changed is as in `other`.
    pub(super) fn is_set_as(&self, other: &Spec) -> bool {
        (&self.attributes, self.toxicity, self.choice) == (&other.attributes, other.toxicity, other.choice)
    }

    /// Whether the toxic takes hold of this connection: one decision for ever, whatever else changes.
    pub(super) fn hits(&self, connection: u64) -> bool {
        let draw = self.draw.numbered(connection);
        draw.named("toxicity").fraction() < self.toxicity && self.choice.takes(self.census.place(connection), draw)
    }
}
