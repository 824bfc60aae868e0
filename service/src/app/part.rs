//! A part of an answer that the answer can do without, and what is said when it is missing or stale.

use std::sync::Arc;

use super::cache::Found;
use crate::{
    dependency::Failure,
    domain::meta::{Degradation, Meta},
};

/// Such a part.
pub(crate) struct Part {
    pub(crate) provider: &'static str,
    /// What it is called when it is stale.
    pub(crate) stale: Degradation,
    /// What it is called when it is not there.
    pub(crate) missing: Degradation,
}

impl Part {
    /// What was found of it, and what to say about it.
    pub(crate) fn take<V>(&self, found: Result<Found<V>, Failure>) -> (Option<Arc<V>>, Meta) {
        let mut meta = Meta::default();
        let value = match found {
            Ok(found) => {
                found.describe_as(self.provider, self.stale, &mut meta);
                Some(found.value)
            }
            Err(failure) => {
                self.lacks(&failure, &mut meta);
                None
            }
        };
        (value, meta)
    }

    /// A copy of what was found of it; `meta` hears about it.
    pub(crate) fn copy<V: Clone>(&self, found: Result<Found<V>, Failure>, meta: &mut Meta) -> Option<V> {
        let (value, part) = self.take(found);
        meta.absorb(part);
        value.map(|value| value.as_ref().clone())
    }

    /// Says that it is not there.
    pub(crate) fn lacks(&self, failure: &Failure, meta: &mut Meta) {
        meta.missing(self.provider, failure.label(), self.missing);
    }
}
