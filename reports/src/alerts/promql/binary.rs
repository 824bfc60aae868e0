//! Operators between numbers and vectors: arithmetic, comparisons, and the operators of sets.
use super::{Error, Moment, Point, Value};
use crate::record::Labels;
use promql_parser::{
    label::METRIC_NAME,
    parser::{
        BinaryExpr, LabelModifier,
        token::{
            T_ADD, T_DIV, T_EQLC, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MOD, T_MUL, T_NEQ, T_POW,
            T_SUB, TokenId,
        },
    },
};
use std::collections::BTreeMap;

/// What an operator makes of two numbers.
type Arithmetic = fn(f64, f64) -> f64;
/// Whether two numbers compare well.
type Comparison = fn(f64, f64) -> bool;

const ARITHMETIC: [(TokenId, Arithmetic); 6] = [
    (T_ADD, |one, other| one + other),
    (T_SUB, |one, other| one - other),
    (T_MUL, |one, other| one * other),
    (T_DIV, |one, other| one / other),
    (T_MOD, |one, other| one % other),
    (T_POW, f64::powf),
];

const COMPARISONS: [(TokenId, Comparison); 6] = [
    (T_EQLC, |one, other| one == other),
    (T_NEQ, |one, other| one != other),
    (T_GTR, |one, other| one > other),
    (T_LSS, |one, other| one < other),
    (T_GTE, |one, other| one >= other),
    (T_LTE, |one, other| one <= other),
];

const SETS: [TokenId; 3] = [T_LAND, T_LOR, T_LUNLESS];

/// Whether an operator is known.
pub(super) fn is_known(operator: TokenId) -> bool {
    ARITHMETIC.iter().any(|(known, _)| *known == operator)
        || COMPARISONS.iter().any(|(known, _)| *known == operator)
        || SETS.contains(&operator)
}

/// An operator that makes a number of two.
#[derive(Clone, Copy)]
enum Operator {
    Arithmetic(Arithmetic),
    /// Keeps what compares well.
    Filter(Comparison),
    /// 1 or 0.
    Truth(Comparison),
}

impl Operator {
    fn of(binary: &BinaryExpr) -> Option<Self> {
        let operator = binary.op.id();
        let arithmetic =
            ARITHMETIC.iter().find(|(known, _)| *known == operator).map(|(_, make)| Self::Arithmetic(*make));
        let comparison =
            COMPARISONS.iter().find(|(known, _)| *known == operator).map(|(_, holds)| match binary.return_bool() {
                true => Self::Truth(*holds),
                false => Self::Filter(*holds),
            });
        arithmetic.or(comparison)
    }

    /// The result, where `kept` is what a comparison lets through; `None` when it does not.
    fn apply(self, one: f64, other: f64, kept: f64) -> Option<f64> {
        match self {
            Self::Arithmetic(make) => Some(make(one, other)),
            Self::Filter(holds) => holds(one, other).then_some(kept),
            Self::Truth(holds) => Some(f64::from(u8::from(holds(one, other)))),
        }
    }

    fn named(self, mut labels: Labels) -> Labels {
        if !matches!(self, Self::Filter(_)) {
            labels.remove(METRIC_NAME);
        }
        labels
    }
}

pub(super) fn binary(moment: &Moment<'_>, binary: &BinaryExpr) -> Result<Value, Error> {
    let (left, right) = (moment.evaluate(&binary.lhs)?, moment.evaluate(&binary.rhs)?);
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    let Some(operator) = Operator::of(binary) else {
        let (Value::Vector(left), Value::Vector(right)) = (left, right) else { return Err(Error::Type("vector")) };
        return Ok(Value::Vector(set(binary.op.id(), left, right, matching)));
    };
    let scaled = |points: Vec<Point>, apply: &dyn Fn(f64) -> Option<f64>| {
        let point = |point: Point| Some(Point { value: apply(point.value)?, labels: operator.named(point.labels) });
        Value::Vector(points.into_iter().filter_map(point).collect())
    };
    match (left, right) {
        (Value::Scalar(one), Value::Scalar(other)) => {
            Ok(Value::Scalar(operator.apply(one, other, one).unwrap_or(f64::NAN)))
        }
        (Value::Vector(points), Value::Scalar(other)) => {
            Ok(scaled(points, &|value| operator.apply(value, other, value)))
        }
        (Value::Scalar(one), Value::Vector(points)) => Ok(scaled(points, &|value| operator.apply(one, value, value))),
        (Value::Vector(left), Value::Vector(right)) => one_to_one(operator, left, right, matching).map(Value::Vector),
    }
}

/// The labels by which two sides are matched.
fn signature(labels: &Labels, matching: Option<&LabelModifier>) -> Labels {
    let is_kept = |name: &String| match matching {
        Some(LabelModifier::Include(on)) => on.labels.contains(name),
        Some(LabelModifier::Exclude(ignoring)) => name != METRIC_NAME && !ignoring.labels.contains(name),
        None => name != METRIC_NAME,
    };
    labels.iter().filter(|(name, _)| is_kept(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn one_to_one(
    operator: Operator,
    left: Vec<Point>,
    right: Vec<Point>,
    matching: Option<&LabelModifier>,
) -> Result<Vec<Point>, Error> {
    let mut by_signature = BTreeMap::new();
    for point in right {
        if by_signature.insert(signature(&point.labels, matching), point.value).is_some() {
            return Err(Error::Ambiguous("right"));
        }
    }
    let mut matched = Vec::new();
    let mut found = Vec::new();
    for point in left {
        let signature = signature(&point.labels, matching);
        let Some(other) = by_signature.get(&signature) else { continue };
        if matched.contains(&signature) {
            return Err(Error::Ambiguous("left"));
        }
        let labels = match matching {
            Some(LabelModifier::Include(_)) => signature.clone(),
            Some(LabelModifier::Exclude(ignoring)) => {
                let is_kept = |(name, _): &(String, String)| !ignoring.labels.contains(name);
                operator.named(point.labels.into_iter().filter(is_kept).collect())
            }
            None => operator.named(point.labels),
        };
        matched.push(signature);
        found.extend(operator.apply(point.value, *other, point.value).map(|value| Point { labels, value }));
    }
    Ok(found)
}

fn set(operator: TokenId, left: Vec<Point>, right: Vec<Point>, matching: Option<&LabelModifier>) -> Vec<Point> {
    let signatures =
        |points: &[Point]| points.iter().map(|point| signature(&point.labels, matching)).collect::<Vec<_>>();
    let is_among = |point: &Point, known: &[Labels]| known.contains(&signature(&point.labels, matching));
    match operator {
        T_LOR => {
            let known = signatures(&left);
            let more = right.into_iter().filter(|point| !is_among(point, &known));
            left.into_iter().chain(more).collect()
        }
        _ => {
            let known = signatures(&right);
            left.into_iter().filter(|point| is_among(point, &known) == (operator == T_LAND)).collect()
        }
    }
}
