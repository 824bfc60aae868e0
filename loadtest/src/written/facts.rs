//! What is known when a step of an arrival is sent: who arrives, on which day, with which rows, and what was saved before.
use super::feeder::Feeder;
use crate::{draw::Draw, visit::Visit};
use jiff::civil::Date;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Facts of one arrival.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) seed: u64,
    pub(super) arrival: u64,
    pub(super) day: Date,
    /// A key that no other arrival has.
    pub(super) arrival_key: String,
    pub(super) step: usize,
    pub(super) draw: Draw,
    pub(super) feeders: &'a [Arc<Feeder>],
    pub(super) saved: BTreeMap<String, Value>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(visit: &Visit<'_>, feeders: &'a [Arc<Feeder>]) -> Self {
        Self {
            seed: visit.seed(),
            arrival: visit.arrival(),
            day: visit.day(),
            arrival_key: format!("{}-{}", visit.run(), visit.number()),
            step: 0,
            draw: visit.draw(),
            feeders,
            saved: BTreeMap::new(),
        }
    }

    /// A key that no other request has.
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.arrival_key, self.step)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::draw::Purpose;
    use serde_json::json;

    /// Arrival 7 of seed 5, at its third step, with `id` and `list` saved.
    pub(in super::super) fn facts() -> Facts<'static> {
        Facts {
            seed: 5,
            arrival: 7,
            day: "2030-01-31".parse().unwrap(),
            arrival_key: "run-1-7".into(),
            step: 2,
            draw: Draw::new(5, Purpose::Payload, 7),
            feeders: super::super::expression::tests::feeders(),
            saved: [("id".to_owned(), json!("17")), ("list".to_owned(), json!([1, null]))].into(),
        }
    }

    impl Facts<'_> {
        pub(in super::super) fn of_arrival(mut self, k: u64) -> Self {
            self.arrival = k;
            self.draw = Draw::new(self.seed, Purpose::Payload, k);
            self
        }
    }
}
