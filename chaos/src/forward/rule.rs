//! A rule: a fault for some of the requests of a link, with what it has done.
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use reports::units;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{Call, Deed, RequestFault, Selector, keys::Occurrences};
use crate::draw::Draw;

/// A rule as set on a link.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) fault: Arc<dyn RequestFault>,
    /// The settings of the fault, as the HTTP API shows them: those of a scenario.
    pub(crate) attributes: Map<String, Value>,
    pub(crate) selector: Selector,
    /// The share of the selected requests that it hits, (0, 1].
    pub(crate) share: f64,
    /// Its own branch of the seeded decisions.
    pub(crate) draw: Draw,
    /// Survives changes of the settings.
    pub(crate) state: Arc<State>,
}

/// What a rule remembers and has done.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Requests that its match took.
    pub(crate) matched: AtomicU64,
    /// Those of them that its numbers and share took.
    pub(crate) chosen: AtomicU64,
    /// Those of them on which it really did something.
    pub(crate) hit: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) dropped_bytes: AtomicU64,
    pub(crate) delayed_ns: AtomicU64,
    number: AtomicU64,
    occurrences: Mutex<Occurrences>,
    pub(crate) lifted: CancellationToken,
}

impl Rule {
    /// Looks at a request; what becomes of it, if the rule means it.
    pub(super) fn meet(&self, call: &Call) -> Option<Deed> {
        if !self.selector.matching.takes(call) || !self.fault.concerns(call) {
            return None;
        }
        self.state.matched.fetch_add(1, Relaxed);
        let number = self.state.number.fetch_add(1, Relaxed) + 1;
        let is_drawn = self.point(call, number).fraction() < self.share;
        if !is_drawn || !self.selector.takes(number) {
            return None;
        }
        self.state.chosen.fetch_add(1, Relaxed);
        Some(self.fault.deed(call))
    }

    /// The point at which it is decided whether the request is hit: by its trace where it has one, so that neither time nor
    /// order counts; else by its number among those that match.
    fn point(&self, call: &Call, number: u64) -> Draw {
        let Some(trace) = &call.trace else { return self.draw.named("number").numbered(number) };
        let asked = call.tool.as_ref().unwrap_or(&call.method);
        let mut occurrences = self.state.occurrences.lock().unwrap_or_else(PoisonError::into_inner);
        let occurrence = occurrences.next(&format!("{trace} {asked}"));
        self.draw.named(trace).named(asked).numbered(occurrence)
    }
}

impl State {
    pub(super) fn count_delay(&self, by: Duration) {
        self.delayed_ns.fetch_add(units::nanos(by), Relaxed);
    }

    /// Forgets what was counted; the numbers of requests go on.
    pub(crate) fn reset(&self) {
        for counter in [&self.matched, &self.chosen, &self.hit, &self.cut, &self.dropped_bytes, &self.delayed_ns] {
            counter.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fault::mcp::McpFault;

    fn rule(seed: u64, share: f64) -> Rule {
        let fault: McpFault = serde_json::from_str(r#"{ "rpc_error": {} }"#).unwrap();
        Rule {
            name: "rule".to_owned(),
            fault: fault.kind(),
            attributes: Map::new(),
            selector: Selector::default(),
            share,
            draw: Draw::seeded(seed).named("link").named("rule"),
            state: Arc::default(),
        }
    }

    fn traced(number: u32) -> Call {
        Call { trace: Some(format!("{number:032x}")), ..Call::of_tool("search") }
    }

    #[test]
    fn the_same_traces_are_hit_in_any_order() {
        let hits = |seed: u64, order: &mut dyn Iterator<Item = u32>| -> BTreeSet<u32> {
            let rule = rule(seed, 0.5);
            order.filter(|number| rule.meet(&traced(*number)).is_some()).collect()
        };
        let forward = hits(7, &mut (0..1000));
        assert_eq!(forward, hits(7, &mut (0..1000).rev()));
        assert_ne!(forward, hits(8, &mut (0..1000)));
        // Binomial: 500 expected, standard deviation 15.8; four of them.
        assert!((437..=563).contains(&forward.len()), "{}", forward.len());
    }

    #[test]
    fn a_retry_is_drawn_anew_and_tools_apart() {
        let outcomes = |rule: &Rule| (0..64).map(|_| rule.meet(&traced(1)).is_some()).collect::<Vec<_>>();
        let first = outcomes(&rule(7, 0.5));
        assert!(first.contains(&true) && first.contains(&false), "{first:?}");
        assert_eq!(first, outcomes(&rule(7, 0.5)));
        let mixed = rule(7, 0.5);
        let beside: Vec<bool> = (0..64)
            .map(|_| {
                mixed.meet(&Call { trace: traced(1).trace, ..Call::of_tool("other") });
                mixed.meet(&traced(1)).is_some()
            })
            .collect();
        assert_eq!(first, beside, "another tool of the trace does not shift the draws");
    }

    #[test]
    fn without_a_trace_the_number_decides() {
        let outcomes = |seed| {
            let rule = rule(seed, 0.5);
            (0..64).map(|_| rule.meet(&Call::of_tool("search")).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(7), outcomes(7));
        assert_ne!(outcomes(7), outcomes(8));
    }

    #[test]
    fn numbers_and_share_compose_and_are_counted() {
        let mut rule = rule(7, 0.5);
        rule.selector = serde_json::from_str(r#"{ "every": 4 }"#).unwrap();
        let hits = (1..=400).filter(|_| rule.meet(&Call::of_tool("search")).is_some()).count() as u64;
        // Binomial: 50 of 100 expected, standard deviation 5; four of them.
        assert!((30..=70).contains(&hits), "{hits}");
        assert_eq!((rule.state.matched.load(Relaxed), rule.state.chosen.load(Relaxed)), (400, hits));
        assert_eq!(rule.state.hit.load(Relaxed), 0, "chosen is not hit");
    }
}
