//! What the self-test puts into the candidate's side: a known slow-down, or nothing.
use crate::scenario::Stand;
use anyhow::Context as _;
use chaos::FaultSettings;
use reports::units::format_duration;
use std::{fmt, str::FromStr, time::Duration};

/// The share of the candidate's connections that are slow in the tail.
const TAIL_SHARE: f64 = 0.1;
/// How much later their answers come.
const TAIL_DELAY: &str = "100ms";
/// After so many bytes of answers, a connection of the candidate is cut in the middle of one.
const CUT_AFTER: &str = "100KB";

/// What is put in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Injection {
    /// Nothing: whatever the gate finds is a false alarm.
    Equal,
    /// Providers that take so much longer, as a share, at every percentile.
    Slower(f64),
    /// Every tenth connection answers 100 ms later; the median stays.
    Tail,
    /// Connections are cut in the middle of an answer, again and again; latencies stay.
    Errors,
}

impl Injection {
    /// All kinds, from nothing to what nobody should miss.
    pub(super) const ALL: [Self; 7] = [
        Self::Equal,
        Self::Slower(0.02),
        Self::Slower(0.05),
        Self::Slower(0.10),
        Self::Slower(0.20),
        Self::Tail,
        Self::Errors,
    ];

    /// What it means, for the page.
    #[must_use]
    pub(super) fn meaning(self) -> String {
        match self {
            Self::Equal => "nothing: a regression is a false alarm".to_owned(),
            Self::Slower(share) => format!("the candidate's providers take {:.0} % longer", share * 100.0),
            Self::Tail => {
                format!("every {:.0}th connection to the candidate answers {TAIL_DELAY} later", 1.0 / TAIL_SHARE)
            }
            Self::Errors => format!("connections to the candidate are cut after {CUT_AFTER} of answers"),
        }
    }

    /// How the candidate's stack differs by it, in a cycle of that length.
    ///
    /// # Errors
    /// When the fault cannot be written as a scenario has it, which is a bug.
    pub(super) fn stand(self, lasts: Duration) -> anyhow::Result<Stand> {
        let fault = match self {
            Self::Equal => return Ok(Stand::default()),
            Self::Slower(share) => return Ok(Stand { providers_times: 1.0 + share, ..Stand::default() }),
            Self::Tail => format!("fault = {{ latency = {{ delay = \"{TAIL_DELAY}\" }} }}\nshare = {TAIL_SHARE:.3}"),
            Self::Errors => format!("fault = {{ limit_data = {{ bytes = \"{CUT_AFTER}\" }} }}"),
        };
        let lasts = format_duration(lasts);
        let text = format!("link = \"client\"\nat = \"0s\"\nfor = \"{lasts}\"\n{fault}");
        let fault: FaultSettings = toml::from_str(&text).with_context(|| format!("the fault of `{self}`"))?;
        Ok(Stand { faults: vec![fault], ..Stand::default() })
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal => f.pad("equal"),
            Self::Slower(share) => f.pad(&format!("+{:.0}%", share * 100.0)),
            Self::Tail => f.pad("tail"),
            Self::Errors => f.pad("errors"),
        }
    }
}

impl FromStr for Injection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        let kinds = || Self::ALL.map(|kind| kind.to_string()).join(", ");
        known().ok_or_else(|| format!("there is no kind `{text}`; the kinds are {}", kinds()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_as_they_are_read() {
        for kind in Injection::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("+3%".parse::<Injection>().unwrap_err().contains("equal, +2%, +5%, +10%, +20%, tail, errors"));
    }

    #[test]
    fn every_kind_can_be_brought_about() {
        let stand = |kind: Injection| kind.stand(Duration::from_millis(14_500)).unwrap();
        assert_eq!((stand(Injection::Equal).providers_times, stand(Injection::Equal).faults), (1.0, Vec::new()));
        assert_eq!(stand(Injection::Slower(0.1)).providers_times, 1.1);
        for kind in [Injection::Tail, Injection::Errors] {
            let faults = stand(kind).faults;
            let timeline = chaos::Timeline::with_parts(&faults, &["client"], &[], Duration::from_millis(14_500));
            assert_eq!(timeline.unwrap().faults().len(), 1, "{kind}");
        }
    }
}
