//! The capacity of a target, as HTML: how much it can take and what to buy, then why.
use super::{
    DrawError, capacity_tables, chart,
    page::{figure, page, records, section, table, unbroken},
    tables,
};
use crate::{
    capacity::{Answer, Standing, Study, Tenfold},
    number,
    validity::CheckOutcome,
};
use maud::{Markup, html};

/// A study as one self-contained HTML page.
///
/// # Errors
/// When a chart cannot be drawn.
pub fn capacity_page(study: &Study) -> Result<String, DrawError> {
    let answer = Answer::of(study);
    let can_be_trusted = answer.standing != Standing::Invalid;
    let charts = if can_be_trusted { chart::capacity(study, &answer) } else { Vec::new() };
    let body = html! {
        (banner(study, &answer))
        @if can_be_trusted {
            (tiles(study, &answer))
            @if !answer.purchases.is_empty() { (section("What to buy", &buying(study), &records(&capacity_tables::purchases(study, &answer)))) }
            @if !study.under.is_empty() { (section("Under faults", UNDER, &records(&capacity_tables::under(study)))) }
            @if !charts.is_empty() {
                (section("At each rate", RATES, &html! { @for picture in &charts { (figure(picture.as_ref())?) } }))
            }
            (section("Outlook", "", &html! { div.plain { (records(&capacity_tables::outlook(study, &answer))) } }))
            (section("Scaling", SCALING, &records(&capacity_tables::scaling(&answer))))
            @if !study.resources.is_empty() { (section("Resources", RESOURCES, &table(&capacity_tables::resources(study)))) }
            (section("Search", &searching(study), &table(&capacity_tables::trials(&study.claim))))
        }
        (section("Validity", VALIDITY, &records(&tables::checks(&study.checks))))
        footer { (study.target) " · " (study.machine) " · harness " (env!("CARGO_PKG_VERSION")) }
    };
    Ok(page(&format!("Capacity of {}: {}", study.title, answer.standing.word()), &body))
}

/// What the table of faults says.
pub(super) const UNDER: &str = "The same search while a fault stood from the first second of each trial to its last.";
const RATES: &str = "Green is confirmed, grey is not resolved, orange is proven to be too much. Response time counts from the instant a request \
                     was due; requests without a good answer are at ∞.";
const SCALING: &str = "X(N) = λN / (1 + σ(N−1) + κN(N−1)), by least squares of relative residuals. Nothing is said beyond twice the largest \
                       load that was measured, and no peak where κ may be 0.";
const RESOURCES: &str =
    "Use at the confirmed rate, and the rate at which each would be used up if use grows with the rate.";
const VALIDITY: &str =
    "If one of these fails (✗) in any trial that counts, no figure is stated. ! is a label, – had nothing to check.";

/// What the table of purchases rests on.
pub(super) fn buying(study: &Study) -> String {
    let policy = study.policy;
    let scaling = match study.by_replicas.is_empty() {
        true => "R replicas are taken to carry R times what one does",
        false => "How much R replicas carry was measured",
    };
    format!(
        "Up to {} of the confirmed rate is used; {} may be lost. {scaling}. Times are modelled, not measured: with one shared queue, and with \
         replicas chosen by chance; balancers lie between.",
        number::exact_percent(policy.use_share),
        number::counted(u64::from(policy.spares), "replica"),
    )
}

/// How the search judged.
pub(super) fn searching(study: &Study) -> String {
    format!(
        "{}, {} under load. A trial keeps {} when the 95 % bound of its violations is at most {}.",
        number::counted(study.claim.tried.len() as u64, "trial"),
        number::seconds(crate::units::nanos(study.claim.load())),
        capacity_tables::promise(study),
        number::exact_percent(study.level.allowed_share()),
    )
}

fn banner(study: &Study, answer: &Answer) -> Markup {
    let (tone, mark) = match answer.standing {
        Standing::Enough => ("good", "✓"),
        Standing::Undecided => ("unsure", "?"),
        Standing::TooLittle => ("bad", "✗"),
        Standing::Invalid => ("bad", "!"),
    };
    html! {
        header class=(tone) {
            p.what { "TripSage capacity · " (study.title) }
            h1 { span.mark aria-hidden="true" { (mark) } " " (answer.standing.word()) }
            p.headline { (unbroken(&answer.headline)) }
            p.meta { "exit " (answer.standing.exit_code()) " · " (capacity_tables::promise(study)) " for " (study.promised_for)
                " · expected " (number::rate(study.expected_per_second)) " · " (study.target) }
            @if let Some(more) = capacity_tables::more_promises(study) { p.meta { (more) } }
        }
    }
}

fn tiles(study: &Study, answer: &Answer) -> Markup {
    html! {
        div.tiles {
            @for [label, value, note] in summary(study, answer) {
                div.tile { p.label { (label) } p.value { (unbroken(&value)) } p.small { (unbroken(&note)) } }
            }
        }
    }
}

/// The planner's answers: a name, a figure and what it means.
pub(super) fn summary(study: &Study, answer: &Answer) -> Vec<[String; 3]> {
    let none = || "–".to_owned();
    let claim = &study.claim;
    let too_much = claim.violated_per_second;
    let mut rows = vec![[
        "sustains at least".to_owned(),
        answer.replica.map_or_else(none, |replica| number::rate(replica.sustained_per_second)),
        too_much.map_or_else(
            || "no rate was proven too much".to_owned(),
            |rate| format!("violates at {}", number::rate(rate)),
        ),
    ]];
    let headroom = answer.headroom.map_or_else(none, |share| match share {
        share if share < 0.0 => format!("−{}", number::percent(-share)),
        share => number::percent(share),
    });
    rows.push(["headroom".to_owned(), headroom, format!("over {} expected", number::rate(study.expected_per_second))]);
    let (ten, note) = match &answer.tenfold {
        Some(Tenfold::Demonstrated) => ("yes".to_owned(), "measured with one replica".to_owned()),
        Some(Tenfold::NotDemonstrated { replicas: Some(replicas), .. }) => {
            ("not shown".to_owned(), format!("would need {}", number::counted(u64::from(*replicas), "replica")))
        }
        Some(Tenfold::NotDemonstrated { replicas: None, .. }) => {
            ("not shown".to_owned(), "beyond what was measured".to_owned())
        }
        None => (none(), "nothing was confirmed".to_owned()),
    };
    rows.push(["10 × expected".to_owned(), ten, note]);
    // The last row but that of "10 ×": the expected demand, with growth where there is any.
    if let [.., purchase, _] = answer.purchases.as_slice() {
        let spares = format!("for {}, N+{}", purchase.demand, study.policy.spares);
        let value =
            purchase.plan.as_ref().map_or_else(|_| none(), |plan| number::counted(u64::from(plan.replicas), "replica"));
        rows.push(["buy".to_owned(), value, spares]);
        if let Some(cost) = purchase.cost {
            let label = format!("{} answers", capacity_tables::batch(answer).0);
            rows.push([label, capacity_tables::price(cost, study, answer), format!("for {}", purchase.demand)]);
        }
    }
    rows
}

/// The checks that failed.
pub(super) fn failed(study: &Study) -> impl Iterator<Item = &crate::validity::Check> {
    study.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail)
}
