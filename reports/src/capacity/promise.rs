//! What the gates of a scenario mean to a search: which of them a rate has to keep, and which say nothing about rates.
use super::violation::Level;
use crate::{
    gate::{Gate, Rule},
    record::{Measure, PhaseKind},
    summary::{Window, is_judged_per_request},
};

/// A gate that is a share of requests, so that windows of a trial can be judged by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The gate without its window, such as `p95 < 500ms for flights.search`.
    pub text: String,
    /// Whose requests, as the gate names them; all when `None`.
    pub name: Option<String>,
    /// Share of the requests that may violate it, between 0 and 1.
    pub allowed_share: f64,
    /// What is promised about latency; `None` when it is about answers alone.
    pub level: Option<Level>,
    /// The gate on the time since the request was sent that goes with one on the time since it was due: when that one holds and this one
    /// does not, requests waited in the generator.
    pub since_sent: Option<String>,
    /// Whether what the gate counts is what is wanted, as in `good-rate > 99%`.
    pub(super) counts_good: bool,
}

/// What a gate means to a search.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// A share of requests: every trial is judged by it, with its bounds.
    Promise(Promise),
    /// A bound on a count or on the slowest: a rate at which it does not hold is not kept. The gate without its window.
    Bound(String),
    /// It says nothing about rates; why.
    Apart(&'static str),
}

impl Meaning {
    /// What a gate means.
    #[must_use]
    pub fn of(gate: &Gate) -> Self {
        let is_usual = match &gate.window.value {
            Window::Run | Window::Kind(PhaseKind::Steady) => true,
            Window::Label(label) => label == PhaseKind::Steady.name(),
            _ => false,
        };
        if !is_usual {
            return Self::Apart("its window is that of a fault, or a part of one run");
        }
        let is_upper = gate.rule.comparison().is_upper();
        match &gate.rule {
            Rule::AchievedRate { .. } | Rule::Dropped { .. } => Self::Apart("it is about the generator"),
            Rule::Rate { .. } => Self::Apart("it is about the rate that the scenario asks for"),
            Rule::Quantile { measure, quantile, limit_ns, .. }
                if is_upper && gate.class.is_none() && is_judged_per_request(*measure) =>
            {
                let text = bare(gate);
                let since_sent = (*measure == Measure::Response)
                    .then(|| format!("service.{}", text.strip_prefix("response.").unwrap_or(&text)));
                Self::Promise(Promise {
                    name: gate.name.as_ref().map(|name| name.value.clone()),
                    allowed_share: 1.0 - quantile,
                    level: Some(Level { quantile: *quantile, limit_ns: *limit_ns }),
                    since_sent,
                    counts_good: false,
                    text,
                })
            }
            Rule::Share { limit, .. } if gate.class.is_none() => Self::Promise(Promise {
                text: bare(gate),
                name: gate.name.as_ref().map(|name| name.value.clone()),
                allowed_share: if is_upper { *limit } else { 1.0 - limit },
                level: None,
                since_sent: None,
                counts_good: !is_upper,
            }),
            _ => Self::Bound(bare(gate)),
        }
    }
}

impl Promise {
    /// Requests without which not even a trial without a violation shows it: the smallest n with (1 − allowed)ⁿ ≤ 5 %.
    #[must_use]
    pub fn fewest_requests(&self) -> u64 {
        // Saturates, which is enough to say that there can never be so many.
        (crate::proportion::ALPHA.ln() / (-self.allowed_share).ln_1p()).ceil() as u64
    }
}

/// The gate without the words that say when it is judged.
fn bare(gate: &Gate) -> String {
    let is_when = |word: &&str| word.starts_with("window=") || *word == "abort";
    gate.text.split_whitespace().take_while(|word| !is_when(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::parse;

    fn meaning(text: &str) -> Meaning {
        Meaning::of(&parse(text).unwrap())
    }

    fn promise(text: &str) -> Promise {
        let Meaning::Promise(promise) = meaning(text) else { panic!("{text} is a promise") };
        promise
    }

    #[test]
    fn shares_of_requests_are_promises() {
        let p95 = promise("p95 < 500ms for flights.search window=steady abort after 10s");
        assert_eq!(p95.text, "p95 < 500ms for flights.search");
        assert_eq!(p95.since_sent.as_deref(), Some("service.p95 < 500ms for flights.search"));
        assert_eq!(p95.level, Some(Level { quantile: 0.95, limit_ns: 500_000_000 }));
        assert!((p95.allowed_share - 0.05).abs() < 1e-12 && p95.name.as_deref() == Some("flights.search"));
        let streamed = promise("first_event.p95 < 500ms for chat.message");
        assert!(streamed.level.is_some() && streamed.since_sent.is_none());
        let errors = promise("error-rate < 0.1%");
        assert!((errors.allowed_share - 0.001).abs() < 1e-12 && errors.level.is_none() && !errors.counts_good);
        let good = promise("good-rate >= 99%");
        assert!((good.allowed_share - 0.01).abs() < 1e-12 && good.counts_good);
    }

    #[test]
    fn counts_are_bounds_and_the_rest_is_left_apart() {
        assert_eq!(meaning("wrong = 0"), Meaning::Bound("wrong = 0".to_owned()));
        assert_eq!(meaning("max < 2s window=run"), Meaning::Bound("max < 2s".to_owned()));
        assert_eq!(meaning("p50 > 1ms"), Meaning::Bound("p50 > 1ms".to_owned()));
        for apart in [
            "p95 < 2s window=during",
            "p95 < 2s window=10s..20s",
            "goodput > 20/s",
            "dropped = 0",
            "achieved-rate > 99%",
        ] {
            assert!(matches!(meaning(apart), Meaning::Apart(_)), "{apart}");
        }
    }

    #[test]
    fn a_promise_says_how_many_requests_it_needs() {
        // MLPerf's table at 95 %: 59 for p95, 299 for p99; ln .05/ln .999 = 2994.2.
        for (text, fewest) in [("p95 < 1s", 59), ("p99 < 1s", 299), ("error-rate < 0.1%", 2_995)] {
            assert_eq!(promise(text).fewest_requests(), fewest, "{text}");
        }
    }
}
