//! The functions of PromQL that alert rules use.
use super::{
    Error, Moment, Point, Semantics, Value,
    store::{millis, offset_ms},
    without_name,
};
use crate::record::Labels;
use promql_parser::{
    label::{BUCKET_LABEL, METRIC_NAME, MatchOp},
    parser::{Call, Expr},
};
use std::collections::BTreeMap;

/// What a function makes of the samples in a range, which begins and ends there.
type OverRange = fn(&Range<'_>) -> Option<f64>;

/// The functions of a range of samples.
const OVER_RANGE: [(&str, OverRange); 11] = [
    ("rate", |range| Some(extrapolated(range)? / range.seconds())),
    ("increase", extrapolated),
    ("irate", last_rate),
    ("avg_over_time", |range| Some(range.values().sum::<f64>() / range.samples.len() as f64)),
    ("sum_over_time", |range| Some(range.values().sum())),
    ("min_over_time", |range| range.values().reduce(f64::min)),
    ("max_over_time", |range| range.values().reduce(f64::max)),
    ("count_over_time", |range| Some(range.samples.len() as f64)),
    ("last_over_time", |range| range.values().last()),
    ("changes", |range| {
        Some(pairs(range).filter(|(one, next)| one != next && !(one.is_nan() && next.is_nan())).count() as f64)
    }),
    ("resets", |range| Some(pairs(range).filter(|(one, next)| next < one).count() as f64)),
];

/// What a function makes of a number.
type OfValue = fn(f64) -> f64;

/// The functions of numbers, one by one.
const OF_VALUES: [(&str, OfValue); 5] =
    [("abs", f64::abs), ("ceil", f64::ceil), ("floor", f64::floor), ("sqrt", f64::sqrt), ("ln", f64::ln)];

/// Those that are neither.
const OTHERS: [&str; 6] = ["absent", "histogram_quantile", "clamp_min", "clamp_max", "vector", "scalar"];

/// Whether a function is known.
pub(super) fn is_known(name: &str) -> bool {
    OVER_RANGE.iter().any(|(known, _)| *known == name)
        || OF_VALUES.iter().any(|(known, _)| *known == name)
        || OTHERS.contains(&name)
}

/// The samples of a series in a range, at least one.
struct Range<'a> {
    samples: &'a [(i64, f64)],
    from_ms: i64,
    to_ms: i64,
    semantics: Semantics,
}

impl Range<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|(_, value)| *value)
    }

    fn seconds(&self) -> f64 {
        (self.to_ms - self.from_ms) as f64 / 1e3
    }
}

pub(super) fn call(moment: &Moment<'_>, call: &Call) -> Result<Value, Error> {
    let argument = |position: usize| call.args.args.get(position).map(AsRef::as_ref).ok_or(Error::Type("argument"));
    let name = call.func.name;
    if let Some((_, over_range)) = OVER_RANGE.iter().find(|(known, _)| *known == name) {
        let keeps_name = name == "last_over_time";
        return Ok(Value::Vector(ranges(moment, argument(0)?, *over_range, keeps_name)?));
    }
    if let Some((_, change)) = OF_VALUES.iter().find(|(known, _)| *known == name) {
        return Ok(Value::Vector(
            moment.vector(argument(0)?)?.into_iter().map(|point| without_name(point, change)).collect(),
        ));
    }
    match name {
        "absent" => Ok(Value::Vector(absent(argument(0)?, &moment.vector(argument(0)?)?))),
        "histogram_quantile" => {
            let (quantile, buckets) = (moment.scalar(argument(0)?)?, moment.vector(argument(1)?)?);
            Ok(Value::Vector(histogram_quantile(quantile, buckets)))
        }
        "clamp_min" | "clamp_max" => {
            let (points, limit) = (moment.vector(argument(0)?)?, moment.scalar(argument(1)?)?);
            let clamp = |value: f64| if name == "clamp_min" { value.max(limit) } else { value.min(limit) };
            Ok(Value::Vector(points.into_iter().map(|point| without_name(point, clamp)).collect()))
        }
        "vector" => Ok(Value::Vector(vec![Point { labels: Labels::new(), value: moment.scalar(argument(0)?)? }])),
        "scalar" => Ok(Value::Scalar(match moment.vector(argument(0)?)?.as_slice() {
            [only] => only.value,
            _ => f64::NAN,
        })),
        _ => Err(Error::Type("known function")),
    }
}

fn ranges(moment: &Moment<'_>, argument: &Expr, over_range: OverRange, keeps_name: bool) -> Result<Vec<Point>, Error> {
    let Expr::MatrixSelector(matrix) = argument else { return Err(Error::Type("range")) };
    let to_ms = moment.at_ms - offset_ms(&matrix.vs);
    let from_ms = to_ms - millis(matrix.range);
    let point = |series: &super::store::Stored| {
        let samples = series.range(from_ms, to_ms, moment.semantics);
        let range = Range { samples: &samples, from_ms, to_ms, semantics: moment.semantics };
        let value = if samples.is_empty() { None } else { over_range(&range) }?;
        let mut labels = series.labels.clone();
        if !keeps_name {
            labels.remove(METRIC_NAME);
        }
        Some(Point { labels, value })
    };
    Ok(moment.store.matching(&matrix.vs).filter_map(point).collect())
}

fn pairs<'a>(range: &'a Range<'_>) -> impl Iterator<Item = (f64, f64)> + 'a {
    range.samples.windows(2).map(|pair| (pair[0].1, pair[1].1))
}

/// By how much a counter grew in a range, continued to its ends; `None` with less than two samples.
///
/// Source: Prometheus, `extrapolatedRate` in `promql/functions.go`: as far as the ends are, but no further than half the time between two
/// samples where they are further away than 1.1 of it, and never below zero.
fn extrapolated(range: &Range<'_>) -> Option<f64> {
    let (first, last) = (range.samples.first()?, range.samples.last()?);
    let between = range.samples.len().checked_sub(1).filter(|between| *between > 0)? as f64;
    let resets: f64 = pairs(range).filter(|(one, next)| next < one).map(|(one, _)| one).sum();
    let grown = last.1 - first.1 + resets;
    let sampled = (last.0 - first.0) as f64 / 1e3;
    let apart = sampled / between;
    let is_far = |seconds: f64| seconds >= apart * 1.1;
    let mut to_start = (first.0 - range.from_ms) as f64 / 1e3;
    let to_end = (range.to_ms - last.0) as f64 / 1e3;
    let to_zero = if grown > 0.0 && first.1 >= 0.0 { sampled * (first.1 / grown) } else { f64::INFINITY };
    match range.semantics {
        Semantics::Two => {
            to_start = to_start.min(to_zero);
            to_start = if is_far(to_start) { apart / 2.0 } else { to_start };
        }
        Semantics::Three => {
            to_start = if is_far(to_start) { apart / 2.0 } else { to_start };
            to_start = to_start.min(to_zero);
        }
    }
    let to_end = if is_far(to_end) { apart / 2.0 } else { to_end };
    Some(grown * (sampled + to_start + to_end) / sampled)
}

/// The rate between the last two samples.
fn last_rate(range: &Range<'_>) -> Option<f64> {
    let [.., (one_ms, one), (last_ms, last)] = *range.samples else { return None };
    let grown = if last < one { last } else { last - one };
    Some(grown / ((last_ms - one_ms) as f64 / 1e3))
}

/// 1 when nothing was found, with the labels that were asked for.
fn absent(argument: &Expr, found: &[Point]) -> Vec<Point> {
    let labels = match argument {
        Expr::VectorSelector(selector) => {
            let equal = selector.matchers.matchers.iter().filter(|matcher| matches!(matcher.op, MatchOp::Equal));
            equal
                .filter(|matcher| matcher.name != METRIC_NAME)
                .map(|matcher| (matcher.name.clone(), matcher.value.clone()))
                .collect()
        }
        _ => Labels::new(),
    };
    if found.is_empty() { vec![Point { labels, value: 1.0 }] } else { Vec::new() }
}

/// A quantile of classic histograms: of each, between the ends of the bucket that holds it.
///
/// Source: Prometheus, `bucketQuantile` in `promql/quantile.go`.
fn histogram_quantile(quantile: f64, buckets: Vec<Point>) -> Vec<Point> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for mut bucket in buckets {
        bucket.labels.remove(METRIC_NAME);
        let bound = bucket.labels.remove(BUCKET_LABEL).and_then(|bound| bound.parse::<f64>().ok());
        if let Some(bound) = bound {
            histograms.entry(bucket.labels).or_default().push((bound, bucket.value));
        }
    }
    let point = |(labels, mut buckets): (Labels, Vec<(f64, f64)>)| {
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        Point { labels, value: bucket_quantile(quantile, &buckets) }
    };
    histograms.into_iter().map(point).collect()
}

fn bucket_quantile(quantile: f64, buckets: &[(f64, f64)]) -> f64 {
    match quantile {
        quantile if quantile.is_nan() => return f64::NAN,
        quantile if quantile < 0.0 => return f64::NEG_INFINITY,
        quantile if quantile > 1.0 => return f64::INFINITY,
        _ => {}
    }
    let [.., before_last, last] = *buckets else { return f64::NAN };
    // A count that is below the one before it was read while the histogram changed.
    let counts: Vec<f64> = buckets
        .iter()
        .scan(0.0_f64, |most, (_, count)| {
            *most = most.max(*count);
            Some(*most)
        })
        .collect();
    let all = counts[counts.len() - 1];
    if last.0 != f64::INFINITY || all == 0.0 || all.is_nan() {
        return f64::NAN;
    }
    let rank = quantile * all;
    let position = counts[..counts.len() - 1].partition_point(|count| *count < rank);
    if position == counts.len() - 1 {
        return before_last.0;
    }
    let upper = buckets[position].0;
    if position == 0 && upper <= 0.0 {
        return upper;
    }
    let (lower, below) = if position == 0 { (0.0, 0.0) } else { (buckets[position - 1].0, counts[position - 1]) };
    lower + (upper - lower) * ((rank - below) / (counts[position] - below))
}
