//! The capacity of a target as text for a terminal, as Markdown, and as JSON for programs.
use super::{
    capacity_page::{UNDER, buying, failed, searching, summary},
    capacity_tables,
    table::Table,
    tables,
    terminal::{Tone, wrapped},
};
use crate::{
    capacity::{
        Answer, Bottleneck, Crossing, Estimate, Fit, Forecast, Misfit, Overload, Peak, Plan, Standing, Study, Tenfold,
    },
    number,
    record::ScenarioText,
};
use serde::Serialize;
use std::fmt::Write as _;

/// Version of the JSON document.
const FORMAT: u32 = 1;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;

/// A study as one screen of text, the answer first. Colour, if any, is what `paint` adds.
#[must_use]
pub fn capacity_text(study: &Study, paint: impl Fn(Tone, &str) -> String) -> String {
    let answer = Answer::of(study);
    let tone = match answer.standing {
        Standing::Enough => Tone::Good,
        Standing::Undecided => Tone::Unsure,
        Standing::TooLittle | Standing::Invalid => Tone::Bad,
    };
    let (word, code) = (paint(tone, answer.standing.word()), answer.standing.exit_code());
    let indent = format!("{} (exit {code})  ", answer.standing.word()).chars().count();
    let mut page = format!("{word} (exit {code})  ");
    page.push_str(&wrapped(&answer.headline, WIDTH - indent).join(&format!("\n{}", " ".repeat(indent))));
    page.push('\n');
    let (promise, expected) = (capacity_tables::promise(study), number::rate(study.expected_per_second));
    let _ = writeln!(page, "{}", wrapped(&study.title, WIDTH).join("\n"));
    let _ = writeln!(page, "{promise} for {}, expected {expected}", study.promised_for);
    if let Some(more) = capacity_tables::more_promises(study) {
        let _ = writeln!(page, "{}", wrapped(&more, WIDTH).join("\n"));
    }
    let mut section = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(page, "\n{}", paint(Tone::Heading, heading));
            for line in lines {
                let _ = writeln!(page, "  {}", cut(&line));
            }
        }
    };
    if answer.standing == Standing::Invalid {
        section(
            "VALIDITY",
            failed(study)
                .map(|check| format!("✗ {}: {} (required: {})", check.name, check.figure, check.threshold))
                .collect(),
        );
        return page;
    }
    let mut answers = Table::new(["what"], ["seen"]).and_words(["meaning"]);
    summary(study, &answer).into_iter().for_each(|row| answers.row(row));
    section("ANSWERS", answers.lines().into_iter().skip(1).collect());
    if !answer.purchases.is_empty() {
        section("WHAT TO BUY", capacity_tables::purchases(study, &answer).lines());
    }
    if !study.under.is_empty() {
        section("UNDER FAULTS", capacity_tables::under(study).without("why not more").lines());
    }
    section("AT EACH RATE", capacity_tables::rungs(&study.rungs).lines());
    section("OUTLOOK", told(&capacity_tables::outlook(study, &answer)));
    section("SCALING", told(&capacity_tables::scaling(&answer)));
    section("SEARCH", capacity_tables::trials(&study.claim).without("decided by").lines());
    page
}

/// The rows of a table without its heads, the last cell broken between words where it is long.
fn told(table: &Table) -> Vec<String> {
    let last = table.columns.len() - 1;
    let width = |index: usize| table.rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..last).map(width).collect();
    let indent: usize = widths.iter().map(|width| width + 2).sum();
    let row = |row: &Vec<String>| {
        let head: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        let texts = wrapped(&row[last], WIDTH - 2 - indent).into_iter().enumerate();
        let head = |index: usize| if index == 0 { head.clone() } else { " ".repeat(indent) };
        texts.map(|(index, text)| head(index) + &text).collect::<Vec<_>>()
    };
    table.rows.iter().flat_map(row).collect()
}

fn cut(line: &str) -> String {
    match line.chars().count() > WIDTH - 2 {
        true => line.chars().take(WIDTH - 3).chain(['…']).collect(),
        false => line.to_owned(),
    }
}

/// A study as a Markdown document.
#[must_use]
pub fn capacity_markdown(study: &Study) -> String {
    let answer = Answer::of(study);
    let (word, code) = (answer.standing.word(), answer.standing.exit_code());
    let mut page = format!("# Capacity of {}: {word}\n\n**{}** (exit {code}).\n\n", study.title, answer.headline);
    let (promise, expected) = (capacity_tables::promise(study), number::rate(study.expected_per_second));
    let _ = writeln!(
        page,
        "{promise} for {}; {expected} expected; {}; {}.",
        study.promised_for, study.target, study.machine
    );
    if let Some(more) = capacity_tables::more_promises(study) {
        let _ = writeln!(page, "\n{more}.");
    }
    let mut section = |heading: &str, note: &str, table: &Table| {
        if !table.rows.is_empty() {
            let note = if note.is_empty() { String::new() } else { format!("{note}\n\n") };
            let _ = write!(page, "\n## {heading}\n\n{note}{}", table.markdown());
        }
    };
    if answer.standing != Standing::Invalid {
        let mut answers = Table::new(["answer"], ["figure"]).and_words(["meaning"]);
        summary(study, &answer).into_iter().for_each(|row| answers.row(row));
        section("Answers", "", &answers);
        section("What to buy", &buying(study), &capacity_tables::purchases(study, &answer));
        if !study.under.is_empty() {
            section("Under faults", UNDER, &capacity_tables::under(study));
        }
        section("At each rate", "", &capacity_tables::rungs(&study.rungs));
        section("Outlook", "", &capacity_tables::outlook(study, &answer));
        section("Scaling", "", &capacity_tables::scaling(&answer));
        section("Resources", "", &capacity_tables::resources(study));
        section("Search", &searching(study), &capacity_tables::trials(&study.claim));
    }
    section("Validity", "", &tables::checks(&study.checks));
    page
}

/// The document. Rates are per second, latencies whole nanoseconds, shares between 0 and 1; what is not known is `null`.
#[derive(Serialize)]
struct Document<'a> {
    /// Version of this document; a reader should refuse a higher one.
    format: u32,
    scenario: &'a ScenarioText,
    started: &'a str,
    standing: Standing,
    exit_code: u8,
    headline: &'a str,
    /// What the target sustains; `null` when nothing was confirmed, or nothing can be trusted.
    sustained_per_second: Option<f64>,
    headroom: Option<f64>,
    tenfold: Option<&'a Tenfold>,
    purchases: Vec<PurchaseFigures<'a>>,
    scaling: Option<ScalingFigures>,
    overload: Option<Overload>,
    bottleneck: Option<Bottleneck>,
    forecast: Option<ForecastFigures<'a>>,
    /// Why a figure above is `null`.
    refusals: Vec<String>,
    /// What was found out, from which all else follows; `null` when it cannot be trusted.
    study: Option<&'a Study>,
    checks: &'a [crate::validity::Check],
}

#[derive(Serialize)]
struct PurchaseFigures<'a> {
    demand: &'a str,
    plan: Option<&'a Plan>,
    cost_per_thousand_good: Option<f64>,
}

#[derive(Serialize)]
struct ScalingFigures {
    lambda: Estimate,
    sigma: Estimate,
    kappa: Estimate,
    peak: Option<Peak>,
    knee: Option<f64>,
    misfit: Misfit,
}

#[derive(Serialize)]
struct ForecastFigures<'a> {
    trend: &'a Forecast,
    monthly_growth: f64,
    one_replica_outgrown: Crossing,
}

/// A study and its answers as a JSON document.
#[must_use]
pub fn capacity_json(study: &Study) -> String {
    let answer = Answer::of(study);
    let can_be_trusted = answer.standing != Standing::Invalid;
    let scaling = answer.scaling.as_ref().ok().filter(|_| can_be_trusted);
    let at = study.claim.sustained_per_second.filter(|_| can_be_trusted);
    let document = Document {
        format: FORMAT,
        scenario: &study.scenario,
        started: &study.started,
        standing: answer.standing,
        exit_code: answer.standing.exit_code(),
        headline: &answer.headline,
        sustained_per_second: answer.replica.map(|replica| replica.sustained_per_second),
        headroom: answer.headroom,
        tenfold: answer.tenfold.as_ref(),
        purchases: answer
            .purchases
            .iter()
            .map(|purchase| PurchaseFigures {
                demand: &purchase.demand,
                plan: purchase.plan.as_ref().ok(),
                cost_per_thousand_good: purchase.cost,
            })
            .collect(),
        scaling: scaling.map(scaling_figures),
        overload: answer.overload.filter(|_| can_be_trusted),
        bottleneck: at.and_then(|rate| Bottleneck::of(&study.resources, rate)),
        forecast: answer.forecast.as_ref().and_then(|forecast| forecast.as_ref().ok()).map(|(trend, crossing)| {
            ForecastFigures { trend, monthly_growth: trend.monthly_growth(), one_replica_outgrown: *crossing }
        }),
        refusals: refusals(&answer),
        study: can_be_trusted.then_some(study),
        checks: &study.checks,
    };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys");
    text.push('\n');
    text
}

fn scaling_figures(fit: &Fit) -> ScalingFigures {
    ScalingFigures {
        lambda: fit.lambda(),
        sigma: fit.sigma(),
        kappa: fit.kappa(),
        peak: fit.peak().ok(),
        knee: fit.knee().ok(),
        misfit: fit.misfit(),
    }
}

fn refusals(answer: &Answer) -> Vec<String> {
    let of_purchases = answer.purchases.iter().filter_map(|purchase| {
        let error = purchase.plan.as_ref().err()?;
        Some(format!("purchase for {}: {error}", purchase.demand))
    });
    let of_scaling = match &answer.scaling {
        Ok(fit) => [fit.peak().err(), fit.knee().err()].into_iter().zip(["peak", "knee"]).collect(),
        Err(refusal) => vec![(Some(refusal.clone()), "scaling")],
    };
    let of_scaling = of_scaling.into_iter().filter_map(|(refusal, what)| Some(format!("{what}: {}", refusal?)));
    let of_forecast = answer.forecast.as_ref().and_then(|forecast| forecast.as_ref().err());
    of_purchases.chain(of_scaling).chain(of_forecast.map(|refusal| format!("forecast: {refusal}"))).collect()
}
