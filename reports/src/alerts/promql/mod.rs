//! Evaluates PromQL at an instant, over series that are at hand: the part of the language that alert rules are written in.
//!
//! `promql-parser` reads the text. What this evaluator does not know is refused when the rules are read, never left out. That it says what
//! Prometheus says is tested with `promtool`, and every run with faults asks `promtool` again where it is installed.
mod aggregate;
mod binary;
mod check;
mod function;
mod store;

pub(crate) use check::Expression;
pub(crate) use store::{Store, millis};

use crate::record::Labels;
use promql_parser::{
    label::METRIC_NAME,
    parser::{Expr, VectorSelector},
};

/// Which Prometheus is meant. They differ in whether a sample exactly as old as a range belongs to it (version 2: yes), and in how a rate is
/// continued to the ends of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// Version 2.
    Two,
    /// Version 3.
    Three,
}

/// One element of a vector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// What an expression is at an instant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar(f64),
    Vector(Vec<Point>),
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two series of one side are equal in what they are matched by.
    #[error("many series match one on the {0} side of an operator")]
    Ambiguous(&'static str),
    /// It is of another type than needed.
    #[error("a {0} is needed")]
    Type(&'static str),
}

/// An instant at which expressions are evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) store: &'a Store,
    pub(crate) at_ms: i64,
    pub(crate) semantics: Semantics,
}

impl Moment<'_> {
    /// What the expression is at this instant.
    pub(crate) fn evaluate(&self, expression: &Expr) -> Result<Value, Error> {
        match expression {
            Expr::NumberLiteral(number) => Ok(Value::Scalar(number.val)),
            Expr::Paren(inner) => self.evaluate(&inner.expr),
            Expr::Unary(negated) => Ok(match self.evaluate(&negated.expr)? {
                Value::Scalar(number) => Value::Scalar(-number),
                Value::Vector(points) => {
                    Value::Vector(points.into_iter().map(|point| without_name(point, |value| -value)).collect())
                }
            }),
            Expr::VectorSelector(selector) => Ok(Value::Vector(self.select(selector))),
            Expr::Call(call) => function::call(self, call),
            Expr::Aggregate(aggregate) => aggregate::aggregate(self, aggregate),
            Expr::Binary(binary) => binary::binary(self, binary),
            Expr::MatrixSelector(_) | Expr::StringLiteral(_) | Expr::Subquery(_) | Expr::Extension(_) => {
                Err(Error::Type("number"))
            }
        }
    }

    fn vector(&self, expression: &Expr) -> Result<Vec<Point>, Error> {
        match self.evaluate(expression)? {
            Value::Vector(points) => Ok(points),
            Value::Scalar(_) => Err(Error::Type("vector")),
        }
    }

    fn scalar(&self, expression: &Expr) -> Result<f64, Error> {
        match self.evaluate(expression)? {
            Value::Scalar(number) => Ok(number),
            Value::Vector(_) => Err(Error::Type("scalar")),
        }
    }

    fn select(&self, selector: &VectorSelector) -> Vec<Point> {
        let at_ms = self.at_ms - store::offset_ms(selector);
        let found = self.store.matching(selector);
        let point = |series: &store::Stored| {
            let value = series.latest(at_ms, self.semantics)?;
            Some(Point { labels: series.labels.clone(), value })
        };
        found.filter_map(point).collect()
    }
}

fn without_name(mut point: Point, change: impl Fn(f64) -> f64) -> Point {
    point.labels.remove(METRIC_NAME);
    Point { value: change(point.value), ..point }
}
