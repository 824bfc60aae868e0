//! Five lines that are redrawn on a terminal: time and faults, load, latency, classes, gates.
use super::{Gates, Moment, Source, each, line::milliseconds};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use reports::{
    record::{Outcome, Phase},
    units,
};
use std::time::Duration;

/// Characters of the phase bar.
const BAR: u64 = 40;

pub(super) async fn redraw(source: Source) {
    let panel = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let style = BarStyle::with_template("{wide_msg}").expect("the template is constant and valid");
    let lines: [ProgressBar; 5] =
        std::array::from_fn(|_| panel.add(ProgressBar::new_spinner().with_style(style.clone())));
    let subject = &source.board.subject;
    each(Duration::from_millis(500), &source, |moment| {
        let texts = text(moment, &subject.phases, subject.planned_ns, &Gates::read(&source.board));
        lines.iter().zip(texts).for_each(|(line, text)| line.set_message(text));
    })
    .await;
}

fn text(moment: &Moment<'_>, phases: &[Phase], planned_ns: u64, gates: &Gates) -> [String; 5] {
    let planned_s = planned_ns / 1_000_000_000;
    let faults = match moment.faults() {
        [] => String::new(),
        on => format!("  {}", on.join(", ")),
    };
    let bar = bar(phases, planned_ns, units::nanos(moment.elapsed));
    let total = format!("{:02}:{:02}", planned_s / 60, planned_s % 60);
    let now = &moment.now;
    [
        format!("{} {bar} {total}  {}{faults}", moment.clock(), moment.label()),
        format!(
            "load     offered {:.1}/s   done {:.1}/s   in flight {}   dropped {}",
            moment.per_second(|figures| figures.offered),
            moment.per_second(|figures| figures.completed),
            now.in_flight,
            now.dropped
        ),
        format!("latency  p50 {}   p99 {}   (last 5 s, since due)", milliseconds(now.p50_ns), milliseconds(now.p99_ns)),
        format!("answers  {}", classes(moment)),
        format!("gates    {}", of_gates(gates)),
    ]
}

/// The course of the run: heavy where it has been, light where it goes; blocks where a fault is on.
fn bar(phases: &[Phase], planned_ns: u64, now_ns: u64) -> String {
    let cell = |index: u64| {
        let at_ns = u64::try_from(u128::from(planned_ns) * u128::from(2 * index + 1) / u128::from(2 * BAR));
        let at_ns = at_ns.unwrap_or(u64::MAX);
        let has_fault =
            phases.iter().any(|phase| (phase.from_ns..phase.to_ns).contains(&at_ns) && !phase.faults.is_empty());
        match (at_ns <= now_ns, has_fault) {
            (true, false) => '━',
            (true, true) => '█',
            (false, false) => '─',
            (false, true) => '░',
        }
    };
    (0..BAR).map(cell).collect()
}

/// Every class that was seen; the good ones always.
fn classes(moment: &Moment<'_>) -> String {
    let is_shown = |class: &Outcome| class.is_good() || moment.now.count(*class) > 0;
    let share =
        |class: Outcome| format!("{} {:.1}%", class.name().replace('_', " "), moment.percent(|one| one == class));
    Outcome::ALL.into_iter().filter(is_shown).map(share).collect::<Vec<_>>().join("   ")
}

fn of_gates(gates: &Gates) -> String {
    match (gates.total, gates.failing.as_slice()) {
        (0, _) => "none in the scenario".to_owned(),
        (total, []) => format!("{}/{total} hold", gates.holding),
        (total, [first]) => format!("{}/{total} hold   ✗ {first}", gates.holding),
        (total, [first, more @ ..]) => format!("{}/{total} hold   ✗ {first}   ✗ {} more", gates.holding, more.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadtest::Figures;
    use reports::record::{FaultWindow, cut};

    #[test]
    fn five_lines_say_where_the_run_is_and_how_it_does() {
        let second = 1_000_000_000;
        let window = FaultWindow { from_ns: 10 * second, to_ns: 20 * second };
        let phases = cut(5 * second, 40 * second, &[("mcp.flights latency".to_owned(), window)]);
        let mut now = Figures { offered: 250, completed: 240, in_flight: 10, p50_ns: 38_000_000, ..Figures::default() };
        (now.outcomes[0], now.outcomes[5]) = (216, 24);
        let moment = Moment {
            elapsed: Duration::from_secs(15),
            phase: phases.get(2),
            before: Figures::default(),
            now,
            over: Duration::from_secs(10),
        };
        let gates = Gates { total: 7, holding: 4, failing: vec!["p95 < 1s (is 2 s)".to_owned(), "x".to_owned()] };
        let expected = [
            "00:15 ━━━━━━━━━━█████░░░░░──────────────────── 00:40  during  mcp.flights latency",
            "load     offered 25.0/s   done 24.0/s   in flight 10   dropped 0",
            "latency  p50 38ms   p99 –   (last 5 s, since due)",
            "answers  full 90.0%   degraded 0.0%   timeout 10.0%",
            "gates    4/7 hold   ✗ p95 < 1s (is 2 s)   ✗ 1 more",
        ];
        assert_eq!(text(&moment, &phases, 40 * second, &gates), expected);
    }
}
