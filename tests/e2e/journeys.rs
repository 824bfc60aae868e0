//! Every journey against the real service, and every write of theirs read back.
use crate::program::{SHORT, Workplace};
use reports::record::{JournalEntry, JournalEvent, Measure, Outcome, RecordKind, folder};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Eighty-eight arrivals at 20/s: four blocks of weights that add up to 22.
const MIX: &str = "flight-search=4,flight-search-cached=2,flight-search-uncached=2,chat=3,chat-long=1,trip-creation=3,\
                   trip-creation-large=1,booking=2,collaboration=2,token-refresh=1,traveller=1";

/// 99 % of χ² with 10 degrees of freedom. Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
const CHI_SQUARE_99_OF_10: f64 = 23.209;

#[test]
fn all_journeys_in_one_mix_get_right_answers_and_keep_their_shares_and_their_writes() {
    let place = Workplace::new(SHORT);
    let (code, out, err) = place.start(&["--mix", MIX, "--duration", "4400ms", "--users", "24"]).end();
    assert_eq!(code, Some(0), "{out}\n{err}");
    let path = place.run_folder();
    let run = folder::read_run(&path).unwrap();

    let weights: u32 = run.load.mix.iter().map(|entry| entry.weight).sum();
    let chi_square = run.load.mix.iter().map(|entry| {
        let expected = run.load.counts.arrived as f64 * f64::from(entry.weight) / f64::from(weights);
        (entry.arrivals as f64 - expected).powi(2) / expected
    });
    let chi_square: f64 = chi_square.sum();
    assert_eq!((run.load.mix.len(), run.load.counts.arrived), (11, 88));
    assert!(chi_square < CHI_SQUARE_99_OF_10, "χ² is {chi_square}: {:?}", run.load.mix);

    let mut seen: BTreeMap<(usize, Outcome), u64> = BTreeMap::new();
    folder::read_measures(&path, &run, |interval| {
        if interval.measure == Measure::Response {
            *seen.entry((interval.step_index, interval.outcome)).or_default() += interval.histogram.len();
        }
    })
    .unwrap();
    // A machine that builds at the same time makes the service refuse work, and a journey ends early; nothing else may cut it short.
    let is_cut =
        |journey: &str| seen.keys().any(|(index, outcome)| run.steps[*index].journey == journey && !outcome.is_good());
    for (index, step) in run.steps.iter().enumerate().filter(|(_, step)| !is_cut(&step.journey)) {
        // A booking that is final at once needs no looking after.
        let full = seen.get(&(index, Outcome::Full)).copied().unwrap_or(0);
        assert!(
            full > 0 || step.name == "bookings.poll",
            "no right answer to {} of {}: {seen:?}",
            step.name,
            step.journey
        );
    }

    let oracle = run.oracle.as_ref().expect("the mix writes");
    assert!(!oracle.is_violated() && oracle.incomplete.is_none() && oracle.journal_lost == 0, "{oracle:?}");
    assert_eq!(oracle.verified, oracle.acknowledged);
    let journal = fs::read_to_string(path.join("journal.ndjson")).unwrap();
    let entries = journal.lines().map(|line| serde_json::from_str::<JournalEntry>(line).unwrap());
    let entries: Vec<JournalEntry> = entries.collect();
    let kinds =
        |event| entries.iter().filter(|entry| entry.event == event).map(|entry| entry.kind).collect::<BTreeSet<_>>();
    let all = [RecordKind::Trip, RecordKind::Booking, RecordKind::Item, RecordKind::Share, RecordKind::Chat];
    if !run.steps.iter().any(|step| is_cut(&step.journey)) {
        assert_eq!(kinds(JournalEvent::Acknowledged), BTreeSet::from(all));
        assert_eq!(kinds(JournalEvent::ChangeAcknowledged), BTreeSet::from([RecordKind::Trip, RecordKind::Chat]));
    }
    let is_acknowledgement = |event| matches!(event, JournalEvent::Acknowledged | JournalEvent::ChangeAcknowledged);
    let acknowledged = entries.iter().filter(|entry| is_acknowledgement(entry.event)).count() as u64;
    assert_eq!(acknowledged, oracle.acknowledged);
    assert!(out.contains(&format!("oracle: {acknowledged} acknowledged writes read back, 0 lost")), "{out}");
}

#[test]
fn what_is_not_to_be_checked_is_said_to_be_not_checked() {
    let place = Workplace::new(&SHORT.replace("\"4s\"", "\"3s\""));
    let (_, out, err) = place.start(&["--no-oracle"]).end();
    assert!(out.contains("– oracle: not checked"), "{out}\n{err}");
    assert!(!place.run_folder().join("journal.ndjson").exists());
}
