//! One line per 10 s, for logs.
use super::{Gates, Moment, Source, each};
use crate::output;
use reports::record::Outcome;
use std::time::Duration;

pub(super) async fn lines(source: Source) {
    each(Duration::from_secs(10), &source, |moment| output::note(&text(moment, &Gates::read(&source.board)))).await;
}

fn text(moment: &Moment<'_>, gates: &Gates) -> String {
    let faults = match moment.faults() {
        [] => String::new(),
        on => format!(" faults[{}]", on.join(", ")),
    };
    let gates = match gates.total {
        0 => String::new(),
        total => format!(" gates {}/{total}", gates.holding),
    };
    format!(
        "{} {:<8} offered {:.1}/s done {:.1}/s in flight {} p50 {} p99 {} full {:.1}% degraded {:.1}% error {:.1}%{gates}{faults}",
        moment.clock(),
        moment.label(),
        moment.per_second(|figures| figures.offered),
        moment.per_second(|figures| figures.completed),
        moment.now.in_flight,
        milliseconds(moment.now.p50_ns),
        milliseconds(moment.now.p99_ns),
        moment.percent(|class| class == Outcome::Full),
        moment.percent(|class| class == Outcome::Degraded),
        moment.percent(Outcome::is_error),
    )
}

pub(super) fn milliseconds(ns: u64) -> String {
    match ns {
        0 => "–".to_owned(),
        u64::MAX => "∞".to_owned(),
        1..1_000_000 => "<1ms".to_owned(),
        ns if ns < 10_000_000_000 => format!("{}ms", ns / 1_000_000),
        ns => format!("{}s", ns / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadtest::Figures;
    use reports::record::{FaultWindow, cut};

    #[test]
    fn a_line_says_phase_rates_latency_classes_gates_and_faults() {
        let second = 1_000_000_000;
        let window = FaultWindow { from_ns: 10 * second, to_ns: 20 * second };
        let phases = cut(5 * second, 40 * second, &[("mcp.flights latency".to_owned(), window)]);
        let mut now = Figures { offered: 250, completed: 240, in_flight: 10, p50_ns: 38_000_000, ..Figures::default() };
        now.outcomes[0] = 216;
        now.outcomes[1] = 24;
        let moment = Moment {
            elapsed: Duration::from_secs(12),
            phase: phases.iter().find(|phase| !phase.faults.is_empty()),
            before: Figures::default(),
            now,
            over: Duration::from_secs(10),
        };
        let gates = Gates { total: 7, holding: 5, failing: Vec::new() };
        let expected = "00:12 during   offered 25.0/s done 24.0/s in flight 10 p50 38ms p99 – full 90.0% degraded 10.0% error 0.0% \
                        gates 5/7 faults[mcp.flights latency]";
        assert_eq!(text(&moment, &gates), expected);
        let quiet = Moment { phase: None, ..moment };
        assert!(text(&quiet, &Gates::default()).ends_with("error 0.0%"), "no gates, no faults");
    }
}
