//! How long the report of a long run takes, and how much memory: read from its folder, judged and rendered, in a process of its own.
//!
//! ```text
//! cargo bench -p reports --bench render
//! ```
//! The promise is 2 s and 200 MiB for an hour of three journeys; four hours stand beside it, because memory must not grow with the length.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own, for developers")]

#[path = "../tests/it/synthetic.rs"]
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
mod synthetic;

use std::{path::Path, process::Command, time::Instant};
use synthetic::{Draft, Shape, quickstart};

const MOST_SECONDS: f64 = 2.0;
const MOST_MIB: f64 = 200.0;
/// Requests per second.
const RATE: f64 = 25.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(folder) = arguments.iter().position(|one| one == "--render").and_then(|at| arguments.get(at + 1)) {
        render(Path::new(folder));
        return;
    }
    println!("{:>6}  {:>9}  {:>10}  {:>8}  {:>9}", "hours", "requests", "log MiB", "seconds", "MiB");
    for hours in [1, 4] {
        let root = tempfile::tempdir().unwrap();
        let seconds = hours * 3600;
        let fault = Some((seconds / 3, seconds / 3 + 300));
        let draft = Draft::new(&Shape { seconds, per_second: RATE, fault, ..quickstart() });
        let (requests, folder) = (draft.samples.len(), draft.write(root.path()));
        let log = std::fs::metadata(folder.join("measures.hlog")).unwrap().len() as f64 / f64::from(1 << 20);
        let seen = Command::new(&arguments[0]).arg("--render").arg(&folder).output().unwrap();
        assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
        let text = String::from_utf8(seen.stdout).unwrap();
        let (took, memory) = text.trim().split_once(' ').unwrap();
        let (took, memory): (f64, f64) = (took.parse().unwrap(), memory.parse().unwrap());
        let is_kept = took <= MOST_SECONDS && memory <= MOST_MIB;
        let word = if hours > 1 {
            ""
        } else if is_kept {
            "  kept"
        } else {
            "  MISSED"
        };
        println!("{hours:>6}  {requests:>9}  {log:>10.1}  {took:>8.2}  {memory:>9.1}{word}");
    }
}

/// Renders every page, and says how long that took and the most memory that was ever resident.
fn render(folder: &Path) {
    let begun = Instant::now();
    reports::render::render_all(folder).unwrap();
    let took = begun.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{took} {}", kib / 1024.0);
}
