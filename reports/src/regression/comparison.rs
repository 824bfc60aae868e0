//! A gate from its settings to its verdict: what was compared, how, on which machine, and what came out, for every page.
use super::{
    checks::failed,
    finding::{Finding, State, Tested, Verdict},
    judgement::{Judgement, Overall},
    metric::Quantity,
    settings::Settings,
};
pub use crate::record::Program;
use crate::{number, record::Machine};
use serde::Serialize;

/// A gate, done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the scenario whose load both were under.
    pub scenario: String,
    /// What is known.
    pub baseline: Program,
    /// What is judged.
    pub candidate: Program,
    /// Of schedule, labels and order of starting.
    pub seed: u64,
    /// Requests per second of both together.
    pub rate_per_second: f64,
    /// Measured seconds of each cycle, warm-up left out.
    pub cycle_seconds: f64,
    /// Wall-clock time at the start, in RFC 3339.
    pub at: String,
    /// Where it ran.
    pub machine: Machine,
    /// How it decides.
    pub settings: Settings,
    /// What it found.
    pub judgement: Judgement,
}

impl Comparison {
    /// The estimated effect on every metric that was compared, by its name.
    #[must_use]
    pub fn effects(&self) -> Vec<(String, f64)> {
        let tested = self.judgement.findings.iter().filter_map(|finding| match &finding.state {
            State::Tested(tested) => Some((finding.test.metric.to_string(), tested.effect)),
            State::NotTested(_) => None,
        });
        tested.collect()
    }

    /// The verdict in one sentence, without its word.
    #[must_use]
    pub fn headline(&self) -> String {
        let judgement = &self.judgement;
        let of = |verdict| judgement.findings.iter().filter(move |finding| finding.verdict() == Some(verdict));
        let tested = judgement.findings.iter().filter(|finding| finding.verdict().is_some()).count();
        let metrics = number::counted(tested as u64, "metric");
        match judgement.overall {
            Overall::Invalid => {
                failed(&judgement.checks).map_or_else(String::new, |check| format!("{}: {}", check.name, check.figure))
            }
            Overall::Regress => {
                let count = of(Verdict::Regress).count();
                let worst = of(Verdict::Regress).max_by(|a, b| beyond(a).total_cmp(&beyond(b)));
                let more = if count > 1 { format!("; {} more regressed", count - 1) } else { String::new() };
                worst.map_or_else(String::new, |finding| format!("{}{more}", worse(finding)))
            }
            Overall::Pass => format!("{metrics} within the margins after {} cycles", judgement.cycles),
            Overall::Inconclusive if tested == 0 => "nothing could be compared".to_owned(),
            Overall::Inconclusive => {
                let open = judgement.findings.iter().filter(|finding| is_open(finding)).count();
                let next =
                    judgement.next_look.map_or_else(String::new, |look| format!("; the next look is after {look}"));
                format!("{open} of {metrics} open after {} cycles{next}", judgement.cycles)
            }
        }
    }
}

/// Whether it keeps a gate from passing without having regressed.
fn is_open(finding: &Finding) -> bool {
    match &finding.state {
        State::Tested(tested) => tested.verdict == Verdict::Inconclusive,
        State::NotTested(why) => why.blocks_pass(),
    }
}

/// How many margins a finding lies at.
fn beyond(finding: &Finding) -> f64 {
    match &finding.state {
        State::Tested(tested) => tested.effect / finding.test.margin.max(1e-9),
        State::NotTested(_) => 0.0,
    }
}

fn worse(finding: &Finding) -> String {
    let (metric, quantity) = (&finding.test.metric, finding.test.metric.quantity);
    let State::Tested(tested) = &finding.state else { return String::new() };
    let by = |effect: f64| change(quantity, effect).trim_start_matches('+').to_owned();
    let at_least = tested.at_least.map_or_else(String::new, |least| format!(", at least {}", by(least)));
    format!("{metric} is worse by {}{at_least}; the margin is {}", by(tested.effect), by(finding.test.margin))
}

/// An effect with its sign and unit: `+10.7 %` of a latency, `+0.30 pp` of a share.
#[must_use]
pub fn change(quantity: Quantity, effect: f64) -> String {
    match quantity {
        Quantity::ErrorShare => number::signed_points(effect),
        Quantity::Latency(_) => {
            let sign = if effect < 0.0 { "−" } else { "+" };
            let percent = effect.abs() * 100.0;
            match percent {
                p if p >= 999.5 => format!("{sign}{} %", number::count(p.round() as u64)),
                p if p >= 99.95 => format!("{sign}{p:.0} %"),
                p => format!("{sign}{p:.1} %"),
            }
        }
    }
}

/// The bounds of an effect: `+8.1 to +13.4 %`.
#[must_use]
pub fn bounds(quantity: Quantity, tested: &Tested) -> String {
    let (Some(least), Some(most)) = (tested.at_least, tested.at_most) else { return "too few cycles".to_owned() };
    let least = change(quantity, least);
    let least = least.trim_end_matches(|c: char| !c.is_ascii_digit());
    format!("{least} to {}", change(quantity, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regression::percentile::Percentile;

    #[test]
    fn changes_have_a_sign_a_unit_and_few_digits() {
        let latency = |effect| change(Quantity::Latency(Percentile::P50), effect);
        assert_eq!(
            [0.0, 0.107, -0.0312, 1.2, 480.0].map(latency),
            ["+0.0 %", "+10.7 %", "−3.1 %", "+120 %", "+48 000 %"]
        );
        assert_eq!(change(Quantity::ErrorShare, -0.003), "−0.30 pp");
    }
}
