//! Aggregation: many elements of a vector become one per group.
use super::{Error, Moment, Point, Value};
use crate::record::Labels;
use promql_parser::{
    label::METRIC_NAME,
    parser::{
        AggregateExpr, LabelModifier,
        token::{T_AVG, T_COUNT, T_GROUP, T_MAX, T_MIN, T_SUM, TokenId},
    },
};
use std::collections::BTreeMap;

/// What becomes of the values of a group, at least one.
type Aggregator = fn(&[f64]) -> f64;

const AGGREGATORS: [(TokenId, Aggregator); 6] = [
    (T_SUM, |values| values.iter().sum()),
    (T_AVG, |values| values.iter().sum::<f64>() / values.len() as f64),
    (T_MIN, |values| values.iter().copied().fold(f64::NAN, f64::min)),
    (T_MAX, |values| values.iter().copied().fold(f64::NAN, f64::max)),
    (T_COUNT, |values| values.len() as f64),
    (T_GROUP, |_| 1.0),
];

/// Whether an aggregation is known.
pub(super) fn is_known(operator: TokenId) -> bool {
    AGGREGATORS.iter().any(|(known, _)| *known == operator)
}

pub(super) fn aggregate(moment: &Moment<'_>, aggregate: &AggregateExpr) -> Result<Value, Error> {
    let found = AGGREGATORS.iter().find(|(known, _)| *known == aggregate.op.id());
    let (_, aggregator) = found.ok_or(Error::Type("known aggregation"))?;
    let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    for point in moment.vector(&aggregate.expr)? {
        groups.entry(group(point.labels, aggregate.modifier.as_ref())).or_default().push(point.value);
    }
    let points = groups.into_iter().map(|(labels, values)| Point { labels, value: aggregator(&values) });
    Ok(Value::Vector(points.collect()))
}

/// The labels of the group that a series belongs to.
fn group(mut labels: Labels, modifier: Option<&LabelModifier>) -> Labels {
    match modifier {
        None => Labels::new(),
        Some(LabelModifier::Include(kept)) => {
            labels.retain(|name, _| kept.labels.contains(name));
            labels
        }
        Some(LabelModifier::Exclude(left)) => {
            labels.retain(|name, _| name != METRIC_NAME && !left.labels.contains(name));
            labels
        }
    }
}
