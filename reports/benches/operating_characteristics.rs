//! How often the regression gate errs and what it finds, on machines that never existed: the tables of measurement.md B2, B3 and B5, anew.
//!
//! ```text
//! cargo bench -p reports --bench operating_characteristics [-- REPLICATES]     (500 when nothing is said; 1 500 for ±0.6 points at 5 %)
//! ```
//! A small version with bands is in the tests (`tests/it/operating.rs`).
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own, for developers")]

#[path = "../tests/it/noise.rs"]
mod noise;

use noise::{Answer, Design, Differences, HOSTILE, Machine, QUIET, Question, Routing, SHARED, differences, job};
use reports::regression::{
    finding::Verdict, metric::Quantity, percentile::Percentile, sequential::Plan, stored::predict,
};

const ALPHA: f64 = 0.05;
const MARGINS: [f64; 3] = [0.05, 0.05, 0.10];
const MACHINES: [Machine; 3] = [QUIET, SHARED, HOSTILE];

fn main() {
    let replicates = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(500);
    println!("{replicates} replicates; cells are p50/p95/p99");
    let seen = |design: Design| MACHINES.map(|machine| replicate(machine, design, replicates));
    let routed = seen(Design::RECOMMENDED);
    let segments = seen(Design { cycles: 20, routing: Routing::Segments, ..Design::RECOMMENDED });
    let without = seen(Design { cycles: 20, restarts: false, ..Design::RECOMMENDED });

    let heads =
        ["A/A quiet", "A/A shared", "A/A hostile", "+5 % shared", "+10 % shared", "+20 % shared", "+10 % hostile"];
    heading("B2: regress at margin 0, in percent, 20 cycles", &heads);
    for (name, [quiet, shared, hostile]) in
        [("requests, 20 x 12 s", &routed), ("segments, 20 x 2 x 6 s", &segments), ("requests, no restarts", &without)]
    {
        let cell = |seen: &[Differences], effect| cells(seen, effect, [0.0; 3], Answer::Regress);
        let hostile_power = cell(hostile, 0.10);
        let powers = [0.05, 0.10, 0.20].map(|effect| cell(shared, effect));
        let alarms = [quiet, shared, hostile].map(|seen| cell(seen, 0.0));
        row(name, &alarms.into_iter().chain(powers).chain([hostile_power]).collect::<Vec<_>>());
    }
    let alarms = MACHINES.map(|machine| fixed(machine, 0.0, replicates));
    row("stored run, above +10 %", &alarms.into_iter().chain(vec![String::new(); 4]).collect::<Vec<_>>());

    let machines = MACHINES.map(|machine| machine.name);
    heading("B3: regress, pass at margins 5/5/10 %, in percent, 20 cycles", &machines);
    for effect in [0.0, 0.03, 0.05, 0.10, 0.20] {
        let cell = |seen: &[Differences]| {
            [Answer::Regress, Answer::Pass].map(|wanted| cells(seen, effect, MARGINS, wanted)).join(", ")
        };
        row(&format!("+{:.0} %", effect * 100.0), &routed.each_ref().map(|seen| cell(seen)));
    }

    heading(
        "B3: looks at 8/12/16/24/32: regress at the margin, in percent; mean cycles of equal variants, and at +20 %",
        &machines,
    );
    for (name, alpha) in [("0.01 (alpha/5)", 0.01), ("0.0158 (Pocock)", 0.0158), ("0.05 (peeking)", 0.05)] {
        row(name, &routed.each_ref().map(|seen| sequential(seen, alpha)));
    }

    heading("B5: one new job against 20 stored ones, margin 0: regress, in percent", &machines);
    for effect in [0.0, 0.05, 0.10, 0.20] {
        row(
            &format!("+{:.0} %", effect * 100.0),
            &MACHINES.map(|machine| stored(machine, effect, replicates.div_ceil(5))),
        );
    }
}

/// Begins a table in Markdown.
fn heading(text: &str, heads: &[&str]) {
    println!("\n{text}\n");
    row("", &heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>());
    row("---", &vec!["---:".to_owned(); heads.len()]);
}

fn row(name: &str, cells: &[String]) {
    println!("| {name} | {} |", cells.join(" | "));
}

fn slashed(values: [f64; 3]) -> String {
    values.map(|value| format!("{value:.1}")).join("/")
}

fn replicate(machine: Machine, design: Design, replicates: u64) -> Vec<Differences> {
    (0..replicates).map(|seed| differences(machine, design, seed)).collect()
}

fn cells(seen: &[Differences], effect: f64, margins: [f64; 3], wanted: Answer) -> String {
    slashed([0, 1, 2].map(|index| {
        let question = Question { effect, margin: margins[index], alpha: ALPHA };
        percent(
            seen.iter().filter(|differences| question.answer(&differences[index][..20]) == wanted).count(),
            seen.len(),
        )
    }))
}

fn percent(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

/// Alarms of a fixed threshold of 10 % between two jobs of 120 s.
fn fixed(machine: Machine, effect: f64, replicates: u64) -> String {
    let jobs = |seed| (job(machine, 120, 0.0, 2 * seed), job(machine, 120, effect, 2 * seed + 1));
    let pairs: Vec<_> = (0..replicates).map(jobs).collect();
    slashed([0, 1, 2].map(|index| {
        percent(pairs.iter().filter(|(old, new)| new[index] - old[index] > 0.10_f64.ln_1p()).count(), pairs.len())
    }))
}

fn sequential(seen: &[Differences], alpha: f64) -> String {
    let run = |effect, index: usize| -> Vec<(Answer, usize)> {
        let question = Question { effect, margin: MARGINS[index], alpha };
        seen.iter().map(|differences| question.sequential(&differences[index])).collect()
    };
    let regress = [0, 1, 2].map(|index| {
        let answers = run(MARGINS[index], index);
        percent(answers.iter().filter(|(answer, _)| *answer == Answer::Regress).count(), seen.len())
    });
    let cycles = |effect| {
        [0, 1, 2]
            .map(|index| run(effect, index).iter().map(|(_, cycles)| *cycles as f64).sum::<f64>() / seen.len() as f64)
    };
    debug_assert_eq!(Plan::Sequential.most_cycles(), Design::RECOMMENDED.cycles);
    format!("{} {} {}", slashed(regress), slashed(cycles(0.0)), slashed(cycles(0.2)))
}

/// One new job against twenty past ones, all with weather of their own.
fn stored(machine: Machine, effect: f64, replicates: u64) -> String {
    let mut alarms = [0; 3];
    for replicate in 0..replicates {
        let past: Vec<[f64; 3]> = (0..20).map(|past| job(machine, 120, 0.0, 100 * replicate + past)).collect();
        let new = job(machine, 120, effect, 100 * replicate + 50);
        for (index, alarms) in alarms.iter_mut().enumerate() {
            let latencies: Vec<f64> = past.iter().map(|job| job[index].exp()).collect();
            let quantity = Quantity::Latency(Percentile::P95);
            let found = predict(&latencies, &[new[index].exp()], quantity, 0.0, ALPHA).unwrap();
            *alarms += usize::from(found.verdict == Verdict::Regress);
        }
    }
    slashed(alarms.map(|count| percent(count, replicates as usize)))
}
