//! The data oracle in words: how many acknowledged writes were read back, and which promises were broken.
use crate::{
    number,
    record::{Oracle, Violation, ViolationExample},
};

/// Longest part of an identifier that is shown.
const ID_CHARS: usize = 40;

/// What the oracle found; that nothing was checked, when nothing was.
#[must_use]
pub fn line(oracle: Option<&Oracle>) -> String {
    let Some(oracle) = oracle else { return "not checked".to_owned() };
    let unfinished = oracle.incomplete.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    format!("{}{unfinished}", sentence(oracle))
}

/// The mark of what the oracle found: never by colour alone.
#[must_use]
pub fn mark(oracle: Option<&Oracle>) -> &'static str {
    match oracle {
        None => "–",
        Some(oracle) if oracle.is_violated() => "✗",
        Some(oracle) if oracle.incomplete.is_some() || oracle.journal_lost > 0 => "?",
        Some(_) => "✓",
    }
}

/// A broken promise in words, such as `lost: trip #17 of user 3 (0b8f…)`.
#[must_use]
pub fn example(example: &ViolationExample) -> String {
    let shown = |id: &String| id.chars().take(ID_CHARS).collect::<String>();
    let details: Vec<String> = example.ids.iter().map(shown).chain(status(example)).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    let name: String = example.reference.chars().take(ID_CHARS).collect();
    format!("{}: {} {name} of user {}{details}", example.violation.name(), example.kind, example.owner)
}

/// With which status a record was not shown, such as `answered 500`.
pub(crate) fn status(example: &ViolationExample) -> Option<String> {
    example.status.map(|status| format!("answered {status}"))
}

/// What the oracle found, in one sentence, such as `166 acknowledged writes read back, 0 lost, 0 duplicated, 0 invented, 0 changed`.
#[must_use]
pub fn sentence(oracle: &Oracle) -> String {
    let writes = number::counted(oracle.acknowledged, "acknowledged write");
    let read_back = match oracle.verified == oracle.acknowledged {
        true => format!("{writes} read back"),
        false => format!("{} of {writes} read back", number::count(oracle.verified)),
    };
    let always = [Violation::Lost, Violation::Duplicated, Violation::Invented, Violation::Changed];
    let is_told = |violation: &Violation| always.contains(violation) || oracle.count(*violation) > 0;
    let found = Violation::ALL.into_iter().filter(is_told);
    let found: Vec<String> =
        found.map(|violation| format!("{} {}", number::count(oracle.count(violation)), violation.name())).collect();
    let unknown = match oracle.unknown.saturating_sub(oracle.unlisted_unknown) {
        0 => String::new(),
        unknown => format!(", {} unanswered ({} landed)", number::count(unknown), number::count(oracle.landed)),
    };
    format!("{read_back}, {}{unknown}{}", found.join(", "), unlisted(oracle))
}

/// What was not looked for, because no list shows it.
fn unlisted(oracle: &Oracle) -> String {
    if oracle.unlisted == 0 {
        return String::new();
    }
    let unanswered = match oracle.unlisted_unknown {
        0 => String::new(),
        unknown => format!(" ({} unanswered)", number::count(unknown)),
    };
    format!("; {} not checked for duplicates{unanswered}", number::counted(oracle.unlisted, "chat"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordKind;

    #[track_caller]
    fn check(oracle: Oracle, expected: &str) {
        assert_eq!(sentence(&oracle), expected);
    }

    #[test]
    fn an_example_names_the_record_and_how_it_was_answered() {
        let lost = ViolationExample {
            violation: Violation::Lost,
            kind: RecordKind::Trip,
            owner: 3,
            reference: "17".into(),
            ids: vec!["0b8f".into()],
            status: None,
        };
        assert_eq!(example(&lost), "lost: trip 17 of user 3 (0b8f)");
        let unreadable = ViolationExample { violation: Violation::Unreadable, status: Some(500), ..lost };
        assert_eq!(example(&unreadable), "unreadable: trip 17 of user 3 (0b8f, answered 500)");
        let list = ViolationExample { reference: "list".into(), ids: Vec::new(), ..unreadable };
        assert_eq!(example(&list), "unreadable: trip list of user 3 (answered 500)");
    }

    #[test]
    fn the_sentence_says_what_was_looked_for_and_what_was_found() {
        let sound = Oracle { acknowledged: 22_431, verified: 22_431, ..Oracle::default() };
        check(sound.clone(), "22 431 acknowledged writes read back, 0 lost, 0 duplicated, 0 invented, 0 changed");
        let broken = [(Violation::Lost, 22), (Violation::Stale, 1)].into();
        check(
            Oracle { violations: broken, ..sound.clone() },
            "22 431 acknowledged writes read back, 22 lost, 0 duplicated, 0 invented, 0 changed, 1 stale",
        );
        check(
            Oracle { acknowledged: 1, verified: 0, unknown: 3, landed: 2, ..sound },
            "0 of 1 acknowledged write read back, 0 lost, 0 duplicated, 0 invented, 0 changed, 3 unanswered (2 landed)",
        );
        let chats =
            Oracle { acknowledged: 9, verified: 9, unknown: 2, unlisted: 10, unlisted_unknown: 2, ..Oracle::default() };
        check(
            chats.clone(),
            "9 acknowledged writes read back, 0 lost, 0 duplicated, 0 invented, 0 changed; 10 chats not checked for duplicates (2 unanswered)",
        );
        check(
            Oracle { unknown: 3, landed: 1, unlisted: 1, unlisted_unknown: 0, ..chats },
            "9 acknowledged writes read back, 0 lost, 0 duplicated, 0 invented, 0 changed, 3 unanswered (1 landed); 1 chat not checked for duplicates",
        );
        check(Oracle::default(), "0 acknowledged writes read back, 0 lost, 0 duplicated, 0 invented, 0 changed");
    }
}
