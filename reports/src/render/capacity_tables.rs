//! The tables of a capacity: what to buy, what each rate did, how the search went, and how the target scales.
use super::table::Table;
use crate::{
    calibration::quantile_name,
    capacity::{
        Answer, Balancing, Bottleneck, Claim, Crossing, Estimate, Finding, Purchase, Purpose, Recovery, Rung, Study,
        TrialResult,
    },
    number,
};
use std::time::Duration;

/// The service level in words: `p99 ≤ 50.0 ms`.
pub(super) fn promise(study: &Study) -> String {
    format!("{} ≤ {}", quantile_name(study.level.quantile), number::latency(study.level.limit_ns))
}

/// What every rate had to keep beside the level that the page is about, and what no rate was judged by; `None` when there is neither.
pub(super) fn more_promises(study: &Study) -> Option<String> {
    let all = (study.promises.len() > 1).then(|| format!("every rate had to keep: {}", study.promises.join(", ")));
    let apart = (!study.left_apart.is_empty()).then(|| format!("not judged: {}", study.left_apart.join(", ")));
    let told: Vec<String> = all.into_iter().chain(apart).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// A price for so many good answers, in words, and how many times a thousand that is: a million where a thousand cost next to nothing.
pub(super) fn batch(answer: &Answer) -> (&'static str, f64) {
    let least = answer.purchases.iter().filter_map(|purchase| purchase.cost).fold(f64::INFINITY, f64::min);
    if least < 0.01 { ("1 million good", 1_000.0) } else { ("1000 good", 1.0) }
}

/// The cost of a batch of good answers with its currency: three digits.
pub(super) fn price(cost_per_thousand: f64, study: &Study, answer: &Answer) -> String {
    let currency = study.price.as_ref().map_or("", |price| price.currency.as_str());
    format!("{} {currency}", number::significant(cost_per_thousand * batch(answer).1))
}

/// What to buy, by demand.
pub(super) fn purchases(study: &Study, answer: &Answer) -> Table {
    let quantile = quantile_name(study.level.quantile);
    let numbers =
        ["rate".to_owned(), "replicas".to_owned(), format!("{quantile}, one queue"), format!("{quantile}, by chance")];
    let mut table = Table::new(
        ["demand".to_owned()],
        numbers.into_iter().chain([format!("{} lost", study.policy.spares), batch(answer).0.to_owned()]),
    );
    for Purchase { demand, plan, cost } in &answer.purchases {
        let time = |time: Option<u64>| time.map_or_else(|| "–".to_owned(), number::latency);
        let pair = |times: Option<Balancing>| match times {
            Some(Balancing { shared_ns, random_ns }) if number::latency(shared_ns) == number::latency(random_ns) => {
                number::latency(random_ns)
            }
            Some(times) => format!("{} to {}", number::latency(times.shared_ns), number::latency(times.random_ns)),
            None => "–".to_owned(),
        };
        let cells = match plan {
            Ok(plan) => [
                number::rate(plan.demand_per_second),
                number::count(u64::from(plan.replicas)),
                time(plan.all_up.map(|times| times.shared_ns)),
                time(plan.all_up.map(|times| times.random_ns)),
                pair(plan.spares_lost),
                cost.map_or_else(|| "–".to_owned(), |cost| price(cost, study, answer)),
            ],
            Err(error) => {
                [error.to_string(), "–".to_owned(), "–".to_owned(), "–".to_owned(), "–".to_owned(), "–".to_owned()]
            }
        };
        table.row([demand.clone()].into_iter().chain(cells));
    }
    let lost = format!("{} lost", study.policy.spares);
    // Where requests are too slow for the model, or there is no price, there is nothing to show.
    let heads: Vec<String> = table.columns.iter().map(|column| column.head.clone()).collect();
    let table = heads.iter().fold(table, |table, head| table.without_empty(head));
    if study.policy.spares == 0 { table.without(&lost) } else { table }
}

/// What the search proved with a fault and without one.
pub(super) fn under(study: &Study) -> Table {
    let mut table = Table::new([] as [&str; 0], ["sustains", "violates at", "of that without"])
        .and_words(["while", "why not more"]);
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), number::rate);
    let plain = study.claim.sustained_per_second;
    let row = |table: &mut Table, what: &str, claim: &Claim| {
        let share = claim.sustained_per_second.zip(plain).map(|(with, without)| with / without);
        table.row([
            rate(claim.sustained_per_second),
            rate(claim.violated_per_second),
            share.map_or_else(|| "–".to_owned(), number::percent),
            what.to_owned(),
            claim.reason(),
        ]);
    };
    row(&mut table, "nothing is broken", &study.claim);
    for under in &study.under {
        match under.failed() {
            None => row(&mut table, &under.fault, &under.claim),
            Some(check) => {
                let why = format!("invalid: {}: {}", check.name, check.figure);
                table.row(["–".to_owned(), "–".to_owned(), "–".to_owned(), under.fault.clone(), why]);
            }
        }
    }
    table
}

/// What came back at each rate.
pub(super) fn rungs(rungs: &[Rung]) -> Table {
    let mut table =
        Table::new([] as [&str; 0], ["offered", "good in time", "answered", "refused", "p50", "p99", "in flight"]);
    for rung in rungs {
        let time = |time: Option<u64>| time.map_or_else(|| "∞".to_owned(), number::latency);
        table.row([
            number::rate(rung.offered_per_second),
            number::rate(rung.good_per_second),
            number::rate(rung.answered_per_second),
            number::percent(rung.shed_share),
            time(rung.p50_ns),
            time(rung.p99_ns),
            number::significant(rung.in_flight),
        ]);
    }
    table
}

/// Every trial of the search, in order.
pub(super) fn trials(claim: &Claim) -> Table {
    let mut table = Table::new(["", "for"], ["rate", "length", "violations", "at least", "at most"])
        .and_words(["finding", "decided by"]);
    for tried in &claim.tried {
        let trial = &tried.trial;
        let purpose = match trial.purpose {
            Purpose::Ramp => "ramp",
            Purpose::Bisect => "bisection",
            Purpose::Confirm => "confirmation",
            Purpose::Prove => "proof",
        };
        let (mark, shares, finding) = match &tried.result {
            TrialResult::Judged(found) => {
                let (mark, word) = match found.finding {
                    Finding::Kept => ("✓", "kept"),
                    Finding::Violated => ("✗", "violated"),
                    Finding::Growing => ("✗", "requests pile up"),
                    Finding::Unknown => ("?", "not sure"),
                };
                (mark, [found.share, found.lower, found.upper].map(number::percent), word.to_owned())
            }
            TrialResult::Invalid(why) => ("!", ["–", "–", "–"].map(str::to_owned), format!("invalid: {why}")),
        };
        let head = [mark.to_owned(), purpose.to_owned(), number::rate(trial.rate_per_second), length(trial.length)];
        table.row(head.into_iter().chain(shares).chain([finding, tried.by.clone().unwrap_or_else(|| "–".to_owned())]));
    }
    table.without_empty("decided by")
}

/// The scaling curve in figures, with what it refuses to say.
pub(super) fn scaling(answer: &Answer) -> Table {
    let mut table = Table::new(["", "value", "95 % interval", ""], [] as [&str; 0]);
    let mut row = |cells: [String; 4]| table.row(cells);
    let fit = match &answer.scaling {
        Ok(fit) => fit,
        Err(refusal) => {
            row(["curve".to_owned(), "–".to_owned(), "–".to_owned(), format!("not fitted: {refusal}")]);
            return table;
        }
    };
    let mut estimate = |name: &str, estimate: Estimate, print: fn(f64) -> String, what: &str| {
        let interval = format!("{} to {}", print(estimate.lower), print(estimate.upper));
        row([name.to_owned(), print(estimate.value), interval, what.to_owned()]);
    };
    estimate("λ", fit.lambda(), number::rate, "answers of one request in flight at a time");
    estimate("σ", fit.sigma(), signed, "contention: the share that queues for something shared");
    estimate("κ", fit.kappa(), signed, "coherency: the price of agreeing with all others");
    match fit.peak() {
        Ok(peak) => {
            let note = if peak.at.is_extrapolated { "in flight, extrapolated" } else { "in flight" };
            estimate(
                "peak",
                peak.load,
                number::significant,
                &format!("{note}: {} there", number::rate(peak.at.per_second.value)),
            );
        }
        Err(refusal) => row(["peak".to_owned(), "–".to_owned(), "–".to_owned(), refusal.to_string()]),
    }
    match fit.knee() {
        Ok(knee) => row([
            "knee".to_owned(),
            number::significant(knee),
            "–".to_owned(),
            "in flight: beyond it, more requests in flight wait for each other".to_owned(),
        ]),
        Err(refusal) => row(["knee".to_owned(), "–".to_owned(), "–".to_owned(), refusal.to_string()]),
    }
    let misfit = fit.misfit();
    let shape =
        if misfit.chance < 0.05 { "the curve has the wrong shape for these data" } else { "no sign of a wrong shape" };
    row([
        "runs".to_owned(),
        number::count(misfit.runs as u64),
        "–".to_owned(),
        format!("{shape} (chance {:.2})", misfit.chance),
    ]);
    if let Some(wrong_by) = misfit.last_out {
        let what = "what the fit without the largest load says of it".to_owned();
        row([
            "last out".to_owned(),
            format!("{}{}", if wrong_by < 0.0 { "−" } else { "+" }, number::percent(wrong_by.abs())),
            "–".to_owned(),
            what,
        ]);
    }
    table
}

fn signed(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    match value.abs() {
        small if small < 1e-3 && small > 0.0 => format!("{sign}{small:.1e}").replace('-', "−"),
        other => format!("{sign}{}", number::significant(other)),
    }
}

/// What becomes of the target past its best, what stands in its way, and when demand gets there: one sentence a row.
pub(super) fn outlook(study: &Study, answer: &Answer) -> Table {
    let mut table = Table::new(["", ""], [] as [&str; 0]);
    let mut row = |what: &str, text: String| table.row([what.to_owned(), text]);
    row("search", study.claim.reason());
    row(
        "past its best",
        match &answer.overload {
            Some(overload) => format!(
                "{}: at {} it still gives {} of its best {}",
                overload.behaviour.word(),
                number::rate(overload.most.offered_per_second),
                number::percent(overload.kept_share),
                number::rate(overload.best.good_per_second)
            ),
            None => "not shown: no rate past the best was tried".to_owned(),
        },
    );
    row(
        "recovery",
        match study.recovery {
            Some(Recovery::After(after)) => format!("normal again {} after the overload", length(after)),
            Some(Recovery::NotWithin(watched)) => format!("not normal within {} after the overload", length(watched)),
            None => "not watched".to_owned(),
        },
    );
    let at = study.claim.sustained_per_second.or(study.claim.kept_once_per_second).unwrap_or(0.0);
    let bottleneck = Bottleneck::of(&study.resources, at);
    row("bottleneck", bottleneck.map_or_else(|| "not watched".to_owned(), |found| found.sentence()));
    match &answer.forecast {
        Some(Ok((forecast, crossing))) => {
            let growth = number::percent(forecast.monthly_growth().abs());
            let sign = if forecast.monthly_growth() < 0.0 { "−" } else { "+" };
            let when = match crossing {
                Crossing::Already => "one replica may be outgrown already".to_owned(),
                Crossing::On(day) => format!("one replica may be outgrown on {day} (upper end of 90 %)"),
                Crossing::NotUntil(day) => {
                    format!("one replica is not outgrown until {day}, as far as the history lets one see")
                }
            };
            row("forecast", format!("{sign}{growth} in 30 days; {when}"));
        }
        Some(Err(refusal)) => row("forecast", refusal.to_string()),
        None => row("forecast", "no history of demand".to_owned()),
    }
    table
}

/// Resources by how full they are.
pub(super) fn resources(study: &Study) -> Table {
    let mut table = Table::new(["resource"], ["used", "of", "share", "full at"]);
    let at = study.claim.sustained_per_second.or(study.claim.kept_once_per_second).unwrap_or(0.0);
    for bound in Bottleneck::of(&study.resources, at).into_iter().flat_map(|found| found.ranking) {
        let reading = &bound.reading;
        table.row([
            reading.resource.clone(),
            number::significant(reading.used),
            format!("{} {}", number::significant(reading.limit), reading.unit),
            number::percent(reading.share()),
            bound.full_at_per_second.map_or_else(|| "–".to_owned(), number::rate),
        ]);
    }
    table
}

fn length(duration: Duration) -> String {
    number::seconds(crate::units::nanos(duration))
}
