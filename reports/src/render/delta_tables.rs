//! The tables of a comparison of runs, which every page shows in its own form.
use super::table::Table;
use crate::{
    delta::{Change, Deltas, FigureDelta, LatencyDelta, ShareDelta, Value},
    number,
};

/// The runs with their letters.
pub(super) fn runs(deltas: &Deltas) -> Table {
    let mut table = Table::new(["", "run", "scenario", "began", "verdict"], [] as [&str; 0]).with_code("run");
    for run in &deltas.runs {
        table.row([
            run.letter.clone(),
            run.id.clone(),
            run.scenario.clone(),
            run.clock_zero.clone(),
            run.verdict.clone(),
        ]);
    }
    table
}

/// What was different about them; what makes them unlike has a mark.
pub(super) fn differences(deltas: &Deltas) -> Table {
    let letters = deltas.runs.iter().map(|run| run.letter.as_str());
    let mut table = Table::new(["", "what"].into_iter().chain(letters), [] as [&str; 0]);
    for difference in &deltas.differences {
        let mark = if difference.aspect.must_agree() { "!" } else { "–" };
        let name = match difference.name.starts_with(difference.aspect.name()) {
            true => difference.name.clone(),
            false => format!("{}: {}", difference.aspect.name(), difference.name),
        };
        table.row([mark.to_owned(), name].into_iter().chain(difference.values.iter().cloned()));
    }
    table
}

/// A column for the change of each run but the first, and one for each run: a page may be too narrow for all of it.
fn heads(deltas: &Deltas) -> Vec<String> {
    let letters = deltas.runs.iter().map(|run| run.letter.clone());
    let others = deltas.others().map(|letter| match deltas.runs.len() {
        2 => "change [95 % CI]".to_owned(),
        _ => format!("{letter} − A [95 % CI]"),
    });
    others.chain(letters).collect()
}

fn heads_without_interval(deltas: &Deltas) -> Vec<String> {
    heads(deltas).into_iter().map(|head| head.replace(" [95 % CI]", "")).collect()
}

/// Response times, in milliseconds.
pub(super) fn latencies(deltas: &Deltas, of: &[LatencyDelta]) -> Table {
    let mut table = Table::new(["whose", "at"], heads(deltas));
    for delta in of {
        let value = |value: &Value| match value {
            Value::Ns(nanos) => number::millis(*nanos),
            Value::Infinite => "∞".to_owned(),
            Value::Unknown => "–".to_owned(),
        };
        let head = [delta.scope.to_string(), format!("{} {}", delta.window, quantile(delta.quantile))];
        let values = delta.values.iter().map(value);
        let changes = delta.changes.iter().map(|change| with_interval(change.as_ref(), signed_percent));
        table.row(head.into_iter().chain(changes).chain(values));
    }
    table
}

/// `p99.9` for 0.999.
pub(super) fn quantile(quantile: f64) -> String {
    format!("p{}", number::exact_percent(quantile).trim_end_matches(" %"))
}

/// Shares of the outcome classes.
pub(super) fn shares(deltas: &Deltas) -> Table {
    let mut table = Table::new(["whose", "class"], heads(deltas));
    for delta in deltas.shares.iter().filter(|delta| !is_plain(delta)) {
        let share = |index: usize| delta.share(index).map_or_else(|| "–".to_owned(), number::percent);
        let head = [delta.scope.to_string(), delta.class.replace('_', " ")];
        let values = (0..deltas.runs.len()).map(share);
        let changes = delta.changes.iter().map(|change| with_interval(change.as_ref(), number::signed_points));
        table.row(head.into_iter().chain(changes).chain(values));
    }
    table
}

/// No error in any run is said once, of all requests together.
fn is_plain(delta: &ShareDelta) -> bool {
    let is_all = delta.scope == crate::summary::Scope::All;
    delta.class == "errors" && !is_all && delta.counts.iter().all(|count| *count == 0)
}

/// What processes used, or metrics counted.
pub(super) fn figures(deltas: &Deltas, of: &[FigureDelta]) -> Table {
    let mut table = Table::new(["what", "unit"], heads_without_interval(deltas));
    for figure in of {
        let value = |value: &Option<f64>| value.map_or_else(|| "–".to_owned(), figure_text);
        let values = figure.values.iter().map(value);
        let change = |change: &Option<f64>| change.map_or_else(|| "–".to_owned(), signed_percent);
        let cells = figure.changes.iter().map(change).chain(values);
        table.row([figure.name.clone(), figure.unit.to_owned()].into_iter().chain(cells));
    }
    table
}

fn figure_text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { number::significant(value) }
}

/// A change in percent with its sign: `+18.4 %`, `−0.6 %`; beyond ten times, as a multiple.
pub(super) fn signed_percent(change: f64) -> String {
    match change {
        c if c.abs() < 5e-4 => "0 %".to_owned(),
        c if c >= 9.0 => format!("×{}", number::significant(1.0 + c)),
        c if c < 0.0 => format!("−{:.1} %", -c * 100.0),
        c => format!("+{:.1} %", c * 100.0),
    }
}

/// A change with its interval; a side that is not known is a question mark.
fn with_interval(change: Option<&Change>, text: impl Fn(f64) -> String) -> String {
    let Some(change) = change else { return "–".to_owned() };
    let side = |side: Option<f64>| side.map_or_else(|| "?".to_owned(), &text);
    let (estimate, lower, upper) = (text(change.estimate), side(change.lower), side(change.upper));
    // The unit is said once, unless one of them is a multiple.
    let has_multiple = [&estimate, &lower, &upper].iter().any(|side| side.starts_with('×'));
    let short = |side: String| match has_multiple {
        true => side,
        false => side.trim_end_matches(" %").trim_end_matches(" pp").to_owned(),
    };
    format!("{estimate} [{}, {}]", short(lower), short(upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_its_sign_and_its_bounds() {
        let change = Change { estimate: 0.184, lower: Some(-0.02), upper: None };
        assert_eq!(with_interval(Some(&change), signed_percent), "+18.4 % [−2.0, ?]");
        let multiple = Change { estimate: 39.4, lower: Some(0.319), upper: Some(78.8) };
        assert_eq!(with_interval(Some(&multiple), signed_percent), "×40.4 [+31.9 %, ×79.8]");
        assert_eq!(with_interval(None, signed_percent), "–");
        assert_eq!((signed_percent(11.0), signed_percent(0.0)), ("×12.0".to_owned(), "0 %".to_owned()));
        assert_eq!([0.5, 0.999].map(quantile), ["p50", "p99.9"]);
    }
}
