//! `limit_data`: the connection closes after exactly so many bytes.
use std::{fmt, time::Duration};

use reports::units::format_size;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::setting::{Error, read_size};
use crate::link::{Attributes, HELD_LITTLE, Kind, Queue, Reach, Step, Toxic};

/// Settings of a data limit in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitData {
    /// How many bytes a connection may carry, such as `"10KB"`.
    #[serde(deserialize_with = "read_size")]
    #[schemars(with = "String")]
    pub bytes: u64,
}

impl LimitData {
    pub(super) fn attributes(&self) -> Result<Vec<(&'static str, u64)>, Error> {
        Ok(vec![("bytes", self.bytes)])
    }
}

impl fmt::Display for LimitData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit_data {}", format_size(self.bytes))
    }
}

pub(super) const KIND: Kind = Kind {
    name: "limit_data",
    attributes: &["bytes"],
    reach: Reach::Stream,
    held_bytes_max: HELD_LITTLE,
    hands_on: true,
    start: |attributes, _| Box::new(Limit { limit_bytes: attributes.number("bytes"), passed_bytes: 0 }),
};

struct Limit {
    limit_bytes: u64,
    /// Survives updates.
    passed_bytes: u64,
}

impl Toxic for Limit {
    fn configure(&mut self, attributes: &Attributes) {
        self.limit_bytes = attributes.number("bytes");
    }

    fn step(&mut self, queue: &mut Queue, _now: Instant) -> Step {
        let left = self.limit_bytes.saturating_sub(self.passed_bytes);
        let limit_is_reached = left == 0 && (self.passed_bytes > 0 || !queue.is_empty());
        if limit_is_reached {
            return Step::Close;
        }
        match queue.take(usize::try_from(left).unwrap_or(usize::MAX)) {
            Some(chunk) => {
                self.passed_bytes += chunk.bytes.len() as u64;
                Step::Pass(chunk)
            }
            None if queue.has_ended() => Step::End(Duration::ZERO),
            None => Step::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::testing::Bench;

    fn check(limit: u64, sent: &[&[u8]], passed: &str, last: Step) {
        let mut bench = Bench::new(&KIND, &[("bytes", limit)]);
        sent.iter().for_each(|bytes| bench.arrive(0, bytes));
        let mut received = Vec::new();
        loop {
            match bench.step(0) {
                Step::Pass(chunk) => received.extend_from_slice(&chunk.bytes),
                other => {
                    assert_eq!((String::from_utf8(received).unwrap().as_str(), other), (passed, last));
                    return;
                }
            }
        }
    }

    #[test]
    fn the_connection_closes_after_exactly_the_limit() {
        check(5, &[b"abc", b"defg"], "abcde", Step::Close);
        check(5, &[b"abc", b"de"], "abcde", Step::Close);
        check(5, &[b"abc"], "abc", Step::Idle);
        check(0, &[], "", Step::Idle);
        check(0, &[b"a"], "", Step::Close);
    }
}
