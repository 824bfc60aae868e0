//! Writes run folders that never happened, to look at the pages: `cargo run -p reports --example synthetic -- FOLDER`.
#[path = "../tests/it/synthetic.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests, which use more of it and fail by panicking")]
mod synthetic;

#[path = "../tests/it/course.rs"]
mod course;

use reports::record::{Outcome, RunEnd};
use std::path::Path;
use synthetic::{CHAT, Draft, SEARCH, Shape, TRIP, quickstart};

fn main() -> Result<(), reports::render::Error> {
    let root = std::env::args().nth(1).unwrap_or_else(|| "reports/runs/synthetic".to_owned());
    let at = |name: &str| Path::new(&root).join(name);
    let hour = Shape { seconds: 3600, per_second: 2.0, fault: Some((1200, 1500)), ..quickstart() };
    let mut failed = Draft::new(&quickstart());
    failed.samples.iter_mut().for_each(|sample| sample.outcome = Outcome::Transport);
    let mut empty = Draft::new(&Shape { fault: None, ..quickstart() });
    empty.samples.clear();
    empty.dropped_ns.clear();
    empty.count();
    let mut stopped = Draft::new(&quickstart());
    stopped.run.end = RunEnd::Interrupted;
    stopped.run.finished_ns = 19_000_000_000;
    stopped.samples.retain(|sample| sample.done_ns < 19_000_000_000);
    stopped.run.load.counts = reports::record::Counts::default();
    let faults = [("mcp.flights down", 110, Some(140)), ("llm latency", 190, Some(205))];
    let gates = [
        "p95 < 500ms for flights.search window=steady",
        "recovery < 10s",
        "depth < 80%",
        "lost < 500 for mcp.flights-down",
    ];
    let failing =
        [(SEARCH, 110..140, 1), (SEARCH, 140..149, 3), (CHAT, 192..198, 2), (TRIP, 120..124, 2), (CHAT, 203..240, 2)];
    let broken = course::draft(240, &faults, &gates, &failing);
    // The hour is last: it takes longest.
    let folders = [
        Draft::new(&quickstart()).write(&at("quickstart")),
        Draft::new(&hour).write(&at("hour")),
        broken.write(&at("broken")),
        failed.write(&at("failed")),
        empty.write(&at("empty")),
        stopped.write_killed(&at("killed")),
    ];
    for folder in folders {
        reports::render::render_all(&folder)?;
        reports::render::render_pngs(&folder)?;
    }
    Ok(())
}
