//! A scenario to start from, made of an access log: its arrivals, and the shares of the journeys that it shows.
use super::{Line, Log};
use loadtest::settings::USERS_MAX;
use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

/// Beginnings of paths, and the journey whose users ask for them.
const JOURNEYS: [(&str, &str); 3] =
    [("/api/v1/flights/search", "flight-search"), ("/api/v1/chat", "chat"), ("/api/v1/trips", "trip-creation")];
/// The most kinds of other paths that are told apart.
const OTHERS_MAX: usize = 1_000;
/// The most kinds of other paths that are listed.
const OTHERS_SHOWN: usize = 20;
/// Weights of a mix that shares are rounded to.
const WEIGHTS: u64 = 100;
const UNKNOWN: &str = "(no path)";

/// How often each kind of path was asked for.
#[derive(Debug, Default)]
struct Paths {
    journeys: BTreeMap<&'static str, u64>,
    others: BTreeMap<String, u64>,
}

impl Paths {
    fn count(&mut self, line: &Line) {
        let path = line.path.as_deref().unwrap_or(UNKNOWN);
        let known = JOURNEYS
            .iter()
            .find(|(start, _)| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        if let Some((_, journey)) = known {
            *self.journeys.entry(journey).or_default() += 1;
            return;
        }
        // The first three parts tell the kind; what follows is often a number or a name.
        let kind = path.split('/').take(4).collect::<Vec<_>>().join("/");
        let is_room = self.others.len() < OTHERS_MAX || self.others.contains_key(&kind);
        *self.others.entry(if is_room { kind } else { "(more)".to_owned() }).or_default() += 1;
    }

    /// Weights of the journeys, which add up to about [`WEIGHTS`].
    fn mix(&self) -> String {
        let all: u64 = self.journeys.values().sum();
        let entry = |(journey, count): (&&str, &u64)| {
            format!("{journey} = {}", (count * WEIGHTS + all / 2).div_euclid(all.max(1)).max(1))
        };
        let entries: Vec<String> = self.journeys.iter().map(entry).collect();
        if entries.is_empty() { "flight-search = 1".to_owned() } else { entries.join(", ") }
    }
}

/// The text of a scenario with the arrivals of a log.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn draft(path: &Path, field: Option<&str>) -> anyhow::Result<String> {
    let mut paths = Paths::default();
    let log = Log::read(path, field, 1, |line| paths.count(&line))?;
    Ok(text(path, field, &log, &paths))
}

fn text(path: &Path, field: Option<&str>, log: &Log, paths: &Paths) -> String {
    let told = log.told(path);
    let length = log.due_ns.last().map_or(1, |last| last / 1_000_000_000 + 1);
    let busiest =
        log.due_ns.chunk_by(|one, other| one / 1_000_000_000 == other / 1_000_000_000).map(<[u64]>::len).max();
    let users = u32::try_from(busiest.unwrap_or(1) * 2).unwrap_or(USERS_MAX).clamp(10, USERS_MAX);
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let file = quoted(&told.source);
    let field = field.map_or_else(String::new, |field| format!(", field = {}", quoted(field)));
    let duration = reports::units::format_duration(Duration::from_secs(length));
    let mut out = format!(
        "title = {}\ngates = [\"error-rate < 1%\"]\n\n# {}: {} arrivals, {}\n[load]\nduration = \"{duration}\"\n",
        quoted(&format!("The arrivals of {}", path.file_name().unwrap_or_default().to_string_lossy())),
        one_line(&told.source),
        told.count,
        told.note,
    );
    let _ =
        writeln!(out, "# twice as many as in the busiest second: enough for answers within 2 s\nusers    = {users}");
    if paths.journeys.is_empty() {
        out.push_str("# the log shows no path that a journey stands for: write your own shares\n");
    } else {
        out.push_str(
            "# shares of the paths that a journey stands for; a journey sends one request or more for each arrival\n",
        );
    }
    let _ = writeln!(out, "mix      = {{ {} }}", paths.mix());
    let _ = writeln!(out, "arrivals = {{ recorded = {{ file = {file}{field} }} }}");
    others(&mut out, paths);
    out
}

fn others(out: &mut String, paths: &Paths) {
    if paths.others.is_empty() {
        return;
    }
    out.push_str("\n# paths that no journey stands for; their arrivals are in the record, and the mix decides what they become:\n");
    let mut sorted: Vec<_> = paths.others.iter().collect();
    sorted.sort_by_key(|(path, count)| (std::cmp::Reverse(**count), *path));
    for (path, count) in sorted.iter().take(OTHERS_SHOWN) {
        let _ = writeln!(out, "#   {count:>8}  {}", one_line(path));
    }
    if let Some(more) = sorted.len().checked_sub(OTHERS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "#             and {more} more");
    }
}

/// What a stranger wrote, safe in a comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadtest::journeys::ALL;

    #[test]
    fn every_path_is_of_a_journey_that_is_there() {
        for (_, journey) in JOURNEYS {
            assert!(ALL.iter().any(|known| known.name() == journey), "{journey}");
        }
    }

    #[test]
    fn shares_follow_the_paths_and_the_rest_is_listed() {
        let mut paths = Paths::default();
        let asked = [
            ("/api/v1/flights/search", 30),
            ("/api/v1/chat", 19),
            ("/api/v1/chat/sessions/7", 1),
            ("/api/v1/trips/9", 10),
        ];
        let others = [("/api/v1/tripsy/1", 1), ("/health/live", 40), ("/a/b/c/1", 2), ("/a/b/c/2", 2)];
        for (path, count) in asked.into_iter().chain(others) {
            (0..count).for_each(|_| paths.count(&Line { at_ns: 0, path: Some(path.to_owned()) }));
        }
        paths.count(&Line { at_ns: 0, path: None });
        assert_eq!(paths.mix(), "chat = 33, flight-search = 50, trip-creation = 17");
        let mut out = String::new();
        super::others(&mut out, &paths);
        let listed: Vec<&str> = out.lines().skip(2).map(|line| line.trim_start_matches(['#', ' '])).collect();
        assert_eq!(listed, ["40  /health/live", "4  /a/b/c", "1  (no path)", "1  /api/v1/tripsy"]);
        assert_eq!(one_line("a\nb\u{1b}[31m"), "a?b?[31m");
    }
}
