//! The state of every row, from what is there.
use super::{
    checklist::{Checklist, Need, Row, Signature, Signatures},
    evidence::{Evidence, Kind, Outcome},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use std::time::Duration;

/// How a row stands, or one thing that it needs. The worst decides, and they are in order from the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The latest evidence shows it.
    Proven,
    /// Somebody has signed it.
    Signed,
    /// It was shown, too long ago.
    Stale,
    /// Nobody has signed it, or not for today.
    Unsigned,
    /// Nothing shows it.
    Missing,
    /// The latest evidence shows the opposite.
    Failed,
}

/// One thing that a row needs, and what there is of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// What is needed, in words.
    pub need: String,
    /// How it stands.
    pub state: State,
    /// What there is, or why nothing counts.
    pub found: String,
    /// When it is from.
    pub at: Option<Timestamp>,
    /// Where it is.
    pub folder: Option<String>,
}

/// A row, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// Its short name.
    pub id: String,
    /// Its heading.
    pub section: String,
    /// What has to be there.
    pub title: String,
    /// The worst of its proofs.
    pub state: State,
    /// Each thing that it needs.
    pub proofs: Vec<Proof>,
}

/// Whether the launch is ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readiness {
    /// The title of the checklist.
    pub title: String,
    /// When it was judged.
    pub at: Timestamp,
    /// Every row, in the order of the list.
    pub rows: Vec<Judged>,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Signed => "signed",
            Self::Stale => "stale",
            Self::Unsigned => "unsigned",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }

    /// Whether that is enough for a launch.
    #[must_use]
    pub fn is_met(self) -> bool {
        matches!(self, Self::Proven | Self::Signed)
    }
}

impl Readiness {
    /// Rows that are met.
    #[must_use]
    pub fn met_count(&self) -> usize {
        self.rows.iter().filter(|row| row.state.is_met()).count()
    }

    /// The exit code of the program: 0 when every row is met, 3 when evidence speaks against one, 7 when something is missing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.rows.iter().map(|row| row.state).max() {
            Some(State::Failed) => 3,
            Some(state) if state.is_met() => 0,
            _ => 7,
        }
    }
}

/// Judges every row at an instant. The latest evidence that shows anything decides, and counts for as long as `max_age`.
#[must_use]
pub fn judge(
    checklist: &Checklist,
    evidence: &[Evidence],
    signatures: &Signatures,
    now: Timestamp,
    max_age: Duration,
) -> Readiness {
    let row = |row: &Row| {
        let needs = row.needs.iter().map(|need| proof(need, evidence, now, max_age));
        let signature = row.sign_off.iter().map(|role| signed(role, signatures.signed.get(&row.id), now));
        let proofs: Vec<Proof> = needs.chain(signature).collect();
        Judged {
            id: row.id.clone(),
            section: row.section.clone(),
            title: row.title.clone(),
            state: proofs.iter().map(|proof| proof.state).max().unwrap_or(State::Missing),
            proofs,
        }
    };
    Readiness { title: checklist.title.clone(), at: now, rows: checklist.rows.iter().map(row).collect() }
}

fn proof(need: &Need, evidence: &[Evidence], now: Timestamp, max_age: Duration) -> Proof {
    let words = match need.kind {
        Kind::Run => format!("a run of {} that passes", need.scenario),
        Kind::Alerts => format!("a run of {} whose faults the alerts tell", need.scenario),
        Kind::Capacity => format!("a study of the capacity for {} that finds enough", need.scenario),
    };
    let of_need = || evidence.iter().filter(|found| found.kind == need.kind && found.scenario == need.scenario);
    let says_something = |found: &&Evidence| found.outcome != Outcome::Unclear;
    let proof = |state, found: String, of: Option<&Evidence>| Proof {
        need: words.clone(),
        state,
        found,
        at: of.map(|found| found.at),
        folder: of.map(|found| found.folder.clone()),
    };
    let Some(latest) = of_need().filter(says_something).max_by_key(|found| found.at) else {
        let unclear = of_need().max_by_key(|found| found.at);
        let why = unclear.map_or_else(|| "there is none".to_owned(), |found| found.figure.clone());
        return proof(State::Missing, why, unclear);
    };
    let without = need.gates.iter().find(|gate| !latest.passed.contains(gate));
    let is_fresh = latest.at.duration_until(now).unsigned_abs() <= max_age;
    let state = match (latest.outcome, without) {
        (Outcome::Fails, _) => State::Failed,
        (_, Some(_)) => State::Missing,
        _ if is_fresh => State::Proven,
        _ => State::Stale,
    };
    let found = match without {
        Some(gate) if state == State::Missing => format!("the run has not passed `{gate}`"),
        _ => latest.figure.clone(),
    };
    proof(state, found, Some(latest))
}

fn signed(role: &str, signature: Option<&Signature>, now: Timestamp) -> Proof {
    let today = now.to_zoned(TimeZone::UTC).date();
    let (state, found) = match signature {
        None => (State::Unsigned, "nobody has signed".to_owned()),
        Some(Signature { by, until: Some(until), .. }) if *until < today => {
            (State::Unsigned, format!("what {by} signed was good until {until}"))
        }
        Some(Signature { by, on, note, .. }) => {
            let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            (State::Signed, format!("{by}, {on}{note}"))
        }
    };
    Proof { need: format!("the word of {role}"), state, found, at: None, folder: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readiness::Error;
    use jiff::civil::date;
    use std::collections::BTreeMap;

    const DAY: Duration = Duration::from_secs(86_400);

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn evidence(kind: Kind, at: &str, outcome: Outcome) -> Evidence {
        let passed = vec!["wrong = 0".to_owned()];
        let (scenario, folder) = ("peak".to_owned(), at.to_owned());
        Evidence { kind, scenario, at: at.parse().unwrap(), folder, outcome, figure: format!("{outcome:?}"), passed }
    }

    fn row(id: &str, needs: Vec<Need>, sign_off: Option<&str>) -> Row {
        let (section, title) = ("Technical".to_owned(), format!("{id} is there"));
        Row { id: id.to_owned(), section, title, needs, sign_off: sign_off.map(str::to_owned) }
    }

    fn run(gates: &[&str]) -> Need {
        let gates = gates.iter().map(|gate| (*gate).to_owned()).collect();
        Need { kind: Kind::Run, scenario: "peak".to_owned(), gates }
    }

    fn list(rows: Vec<Row>) -> Checklist {
        Checklist { title: "Launch".to_owned(), rows }
    }

    fn signatures(id: &str, until: Option<jiff::civil::Date>) -> Signatures {
        let signature = Signature { by: "Ada".to_owned(), on: date(2026, 11, 20), until, note: None };
        Signatures { signed: BTreeMap::from([(id.to_owned(), signature)]) }
    }

    fn state(evidence: &[Evidence], gates: &[&str]) -> State {
        let list = list(vec![row("performance", vec![run(gates)], None)]);
        judge(&list, evidence, &Signatures::default(), now(), DAY * 7).rows[0].state
    }

    #[test]
    fn the_latest_evidence_that_shows_anything_decides() {
        let held = |at| evidence(Kind::Run, at, Outcome::Holds);
        let failed = |at| evidence(Kind::Run, at, Outcome::Fails);
        let unclear = |at| evidence(Kind::Run, at, Outcome::Unclear);
        let (old, earlier, later) = ("2026-11-01T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        for (found, expected) in [
            (vec![], State::Missing),
            (vec![held(later)], State::Proven),
            (vec![held(old)], State::Stale),
            (vec![held(earlier), failed(later)], State::Failed),
            (vec![failed(earlier), held(later)], State::Proven),
            (vec![failed(earlier), unclear(later)], State::Failed),
            (vec![held(earlier), unclear(later)], State::Proven),
            (vec![unclear(later)], State::Missing),
            (vec![evidence(Kind::Capacity, later, Outcome::Holds)], State::Missing),
        ] {
            assert_eq!(state(&found, &[]), expected, "{found:?}");
        }
        assert_eq!(state(&[held(later)], &["wrong = 0"]), State::Proven);
        assert_eq!(state(&[held(later)], &["p95 < 1ms"]), State::Missing, "a run without the gate does not prove it");
    }

    #[test]
    fn the_worst_row_decides_the_exit_code() {
        let held = evidence(Kind::Run, "2026-11-23T00:00:00Z", Outcome::Holds);
        let failed = evidence(Kind::Run, "2026-11-23T00:00:00Z", Outcome::Fails);
        let both =
            list(vec![row("performance", vec![run(&[])], None), row("support", vec![], Some("the head of support"))]);
        let code =
            |evidence: &[Evidence], signed: &Signatures| judge(&both, evidence, signed, now(), DAY * 7).exit_code();
        assert_eq!(code(std::slice::from_ref(&held), &signatures("support", None)), 0);
        assert_eq!(code(std::slice::from_ref(&held), &Signatures::default()), 7);
        assert_eq!(code(&[], &signatures("support", None)), 7);
        assert_eq!(code(&[failed], &signatures("support", None)), 3);
        assert_eq!(
            code(std::slice::from_ref(&held), &signatures("support", Some(date(2026, 11, 23)))),
            7,
            "it has run out"
        );
        assert_eq!(code(&[held], &signatures("support", Some(date(2026, 11, 24)))), 0);
    }

    #[test]
    fn what_nothing_could_meet_is_refused() {
        let signed = row("support", vec![], Some("support"));
        let proven = row("performance", vec![run(&[])], None);
        assert_eq!(list(vec![]).check(), Err(Error::Empty));
        assert_eq!(list(vec![row("x", vec![], None)]).check(), Err(Error::Unbound("x".to_owned())));
        assert_eq!(list(vec![signed.clone(), signed.clone()]).check(), Err(Error::Twice("support".to_owned())));
        let list = list(vec![signed, proven]);
        assert_eq!(list.check(), Ok(()));
        let today = date(2026, 11, 24);
        let check = |id| list.check_signatures(&signatures(id, None), today);
        assert_eq!(check("support"), Ok(()));
        assert_eq!(check("performance"), Err(Error::NotToSign("performance".to_owned())));
        assert!(matches!(check("legal"), Err(Error::UnknownRow { known, .. }) if known == "support"));
        let early = list.check_signatures(&signatures("support", None), date(2026, 11, 19));
        assert!(matches!(early, Err(Error::Future { .. })));
    }

    #[test]
    fn a_need_names_one_thing() {
        let read = |text: &str| serde_json::from_str::<Need>(text);
        assert_eq!(read(r#"{"run": "peak", "gates": ["wrong = 0"]}"#).unwrap(), run(&["wrong = 0"]));
        for wrong in
            [r#"{}"#, r#"{"run": "a", "capacity": "b"}"#, r#"{"alerts": "a", "gates": ["x"]}"#, r#"{"walk": "a"}"#]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
