//! Where a fault acts: the link or the part that its settings name, if there is one of that name and it can act on such a thing. Pure.
use toml::Spanned;

use crate::{
    problem::{Error, Problem},
    settings::FaultSettings,
};

/// The part that faults inside the database act on, and no others.
const DATABASE: &str = "database";
/// Names less alike than this are not suggested.
const ALIKE: f64 = 0.6;

/// What the fault names to act on: one link, several, or one part.
pub(crate) fn named(setting: &FaultSettings) -> Result<Vec<&Spanned<String>>, Error> {
    match (&setting.link, &setting.links[..], &setting.part) {
        (Some(link), [], None) => Ok(vec![link]),
        (None, links @ [_, ..], None) => Ok(links.iter().collect()),
        (None, [], Some(part)) => Ok(vec![part]),
        (_, _, part) => {
            let span = part.as_ref().map_or(setting.fault.span(), Spanned::span);
            Err(Error { problem: Problem::OnePlace, span })
        }
    }
}

/// Makes sure that there is a link or part of that name and that the fault can act on such a thing.
pub(crate) fn check<L: AsRef<str>>(
    setting: &FaultSettings,
    place: &Spanned<String>,
    links: &[L],
    parts: &[&str],
) -> Result<(), Error> {
    let (fault, kind, name) = (setting.fault.get_ref(), setting.fault.get_ref().kind(), place.get_ref().as_str());
    let is_on_database = fault.on_database().is_some();
    let is_on_part = is_on_database || fault.on_part().is_some();
    let own: Vec<&str> = parts.iter().copied().filter(|part| (*part == DATABASE) == is_on_database).collect();
    let problem = match (setting.part.is_some(), is_on_part) {
        (false, false) if links.iter().any(|known| known.as_ref() == name) => return Ok(()),
        (true, true) if own.contains(&name) => return Ok(()),
        (false, false) => unknown_link(name, links),
        (true, true) if parts.contains(&name) => Problem::OtherPart { kind, parts: own.join(", ") },
        (true, true) => unknown_part(name, &own),
        (false, true) => Problem::NeedsPart { kind, part: if is_on_database { DATABASE } else { "service" } },
        (true, false) => Problem::NeedsLink { kind },
    };
    Err(Error { problem, span: place.span() })
}

fn unknown_link<L: AsRef<str>>(link: &str, links: &[L]) -> Problem {
    let (nearest, known) = nearest(link, links);
    Problem::UnknownLink { link: link.to_owned(), nearest, known }
}

fn unknown_part(part: &str, parts: &[&str]) -> Problem {
    let (nearest, known) = nearest(part, parts);
    Problem::UnknownPart { part: part.to_owned(), nearest, known }
}

/// The known name that is most like another, if one is alike, and all that are known.
fn nearest<N: AsRef<str>>(wrong: &str, names: &[N]) -> (Option<String>, Vec<String>) {
    let known: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
    let alike = known.iter().map(|name| (strsim::jaro_winkler(wrong, name), name));
    let nearest = alike.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    (nearest.map(|(_, name)| name.clone()), known)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use crate::{Timeline, TimelineError, fault::Means, settings::FaultSettings};

    #[derive(Deserialize)]
    struct File {
        faults: Vec<FaultSettings>,
    }

    fn plan(lines: &[&str]) -> (String, Result<Timeline, Vec<TimelineError>>) {
        let text: String = lines.iter().map(|line| format!("[[faults]]\n{}\n", line.replace("; ", "\n"))).collect();
        let file: File = toml::from_str(&text).unwrap();
        let (links, parts) = (["client", "llm", "mcp.flights"], ["service", "database"]);
        let timeline = Timeline::with_parts(&file.faults, &links, &parts, Duration::from_secs(40));
        (text, timeline)
    }

    fn refused(lines: &[&str], at: &str, said: &str) {
        let (text, timeline) = plan(lines);
        let errors = timeline.unwrap_err();
        let [error] = &errors[..] else { panic!("one mistake, not {errors:?}") };
        assert_eq!((&text[error.span.clone()], error.to_string().as_str()), (at, said));
    }

    const SLOW: &str = r#"link = "mcp.flights"; at = "15s"; for = "10s"; fault = { latency = { delay = "1s" } }"#;
    const DOWN: &str = r#"link = "llm"; at = "5s"; for = "10s"; fault = "down""#;
    const KILL: &str = r#"part = "service"; at = "5s"; for = "10s"; fault = "kill""#;

    #[test]
    fn faults_on_parts_are_planned_beside_those_on_links() {
        let timeline = plan(&[SLOW, KILL]).1.unwrap();
        let kill = &timeline.faults()[0];
        assert_eq!((kill.name.as_str(), kill.place(), kill.link.as_str()), ("service kill", "service", ""));
        assert_eq!((kill.part.as_deref(), &kill.means), (Some("service"), &Means::Part));
        assert_eq!(
            timeline.to_string().lines().nth(1),
            Some(" 5s  15s  service      kill (SIGKILL), started again at the end  10s")
        );
        let then = KILL.replace("\"5s\"", "\"15s\"").replace("kill", "pause");
        assert_eq!(plan(&[KILL, &then]).1.unwrap().faults().len(), 2);
    }

    #[test]
    fn mistakes_about_places_are_refused() {
        refused(
            &[&KILL.replace("\"service\"", "\"servce\"")],
            "\"servce\"",
            "there is no part `servce` (did you mean `service`?); the parts are service",
        );
        let one =
            "a fault names one `link`, such as \"mcp.flights\", or several `links`, or one `part`, such as \"service\"";
        refused(&[&KILL.replace("part = \"service\"; ", "")], "\"kill\"", one);
        refused(&[&format!("link = \"llm\"; {KILL}")], "\"service\"", one);
        refused(
            &[&KILL.replace("part = \"service\"", "link = \"client\"")],
            "\"client\"",
            "`kill` acts on a part of the target, not on a link: write part = \"service\"",
        );
        refused(
            &[&DOWN.replace("link = \"llm\"", "part = \"service\"")],
            "\"service\"",
            "`down` acts on a link, not on a part of the target: write link = \"client\" for the one to the service",
        );
        let whole = "`kill` has no `share`, `direction` or `connections`: leave them out";
        refused(&[&format!("{KILL}; share = 1.0")], "\"kill\"", whole);
        refused(&[&format!("{KILL}; direction = \"upstream\"")], "\"kill\"", whole);
        refused(
            &[KILL, &KILL.replace("\"5s\"", "\"14s\"").replace("kill", "pause")],
            "\"14s\"",
            "the fault overlaps `service kill`, which is on the same part",
        );
        let flood = DOWN.replace("\"down\"", "{ connection_flood = { connections = 9 } }");
        refused(&[&flood], "\"llm\"", "`connection_flood` crowds the service: it acts on the link `client`");
        let flood = flood.replace("llm", "client");
        assert_eq!(plan(&[&flood]).1.unwrap().faults()[0].means, Means::Clients);
        refused(
            &[&format!("{flood}; share = 0.5")],
            "{ connection_flood = { connections = 9 } }",
            "`connection_flood` has no `share`, `direction` or `connections`: leave them out",
        );
    }

    #[test]
    fn faults_inside_the_database_act_on_that_part_alone() {
        let lock = r#"part = "database"; at = "5s"; for = "1s"; fault = { sqlite = "lock" }"#;
        let timeline = plan(&[lock]).1.unwrap();
        let fault = &timeline.faults()[0];
        assert_eq!((fault.name.as_str(), fault.place(), &fault.means), ("database lock", "database", &Means::Database));
        assert_eq!(fault.description(), "write lock held by another process");
        refused(&[&lock.replace("database", "service")], "\"service\"", "`lock` acts on another part: database");
        refused(
            &[&lock.replace("part = \"database\"", "link = \"llm\"")],
            "\"llm\"",
            "`lock` acts on a part of the target, not on a link: write part = \"database\"",
        );
        refused(
            &[r#"part = "database"; at = "5s"; for = "1s"; fault = "kill""#],
            "\"database\"",
            "`kill` acts on another part: service",
        );
        let slow = r#"{ postgres = { slow_writes = { delay = "4s" } } }"#;
        refused(&[&lock.replace(r#"{ sqlite = "lock" }"#, slow)], slow, "`delay` must be at most 3 s");
    }
}
