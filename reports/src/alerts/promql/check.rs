//! An expression, read and checked: what the evaluator does not know is refused before anything is evaluated.
use super::{Error, Moment, Point, Value, aggregate, binary, function};
use promql_parser::parser::{Expr, VectorMatchCardinality, VectorSelector, parse};
use std::{collections::BTreeSet, time::Duration};

/// An expression that the evaluator knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    tree: Expr,
    /// The metrics that it looks at.
    pub(crate) metrics: BTreeSet<String>,
    /// The longest stretch of time that it looks back over.
    pub(crate) looks_back: Duration,
}

impl Expression {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, or not known here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let tree = parse(text)?;
        let mut expression = Self { tree: tree.clone(), metrics: BTreeSet::new(), looks_back: Duration::ZERO };
        expression.check(&tree)?;
        Ok(expression)
    }

    /// Its elements at an instant; a scalar is one without labels.
    pub(crate) fn points(&self, moment: &Moment<'_>) -> Result<Vec<Point>, Error> {
        Ok(match moment.evaluate(&self.tree)? {
            Value::Vector(points) => points,
            Value::Scalar(value) => vec![Point { labels: [].into(), value }],
        })
    }

    fn check(&mut self, tree: &Expr) -> Result<(), String> {
        match tree {
            Expr::NumberLiteral(_) => Ok(()),
            Expr::Paren(inner) => self.check(&inner.expr),
            Expr::Unary(inner) => self.check(&inner.expr),
            Expr::VectorSelector(selector) => self.selector(selector, Duration::ZERO),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, matrix.range),
            Expr::Call(call) if function::is_known(call.func.name) => {
                call.args.args.iter().try_for_each(|argument| self.check(argument))
            }
            Expr::Call(call) => Err(format!("the function `{}` is not known here", call.func.name)),
            Expr::Aggregate(inner) if aggregate::is_known(inner.op.id()) => self.check(&inner.expr),
            Expr::Aggregate(inner) => Err(format!("the aggregation `{}` is not known here", inner.op)),
            Expr::Binary(inner) => {
                let many = inner.modifier.as_ref().map(|modifier| &modifier.card);
                let is_many =
                    !matches!(many, None | Some(VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany));
                let fills = inner
                    .modifier
                    .as_ref()
                    .is_some_and(|modifier| modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some());
                match (is_many || fills, binary::is_known(inner.op.id())) {
                    (true, _) => Err("`group_left`, `group_right` and `fill` are not known here".to_owned()),
                    (_, false) => Err(format!("the operator `{}` is not known here", inner.op)),
                    (false, true) => {
                        self.check(&inner.lhs)?;
                        self.check(&inner.rhs)
                    }
                }
            }
            Expr::Subquery(_) => Err("subqueries are not known here".to_owned()),
            Expr::StringLiteral(_) | Expr::Extension(_) => Err("text is not known here".to_owned()),
        }
    }

    fn selector(&mut self, selector: &VectorSelector, range: Duration) -> Result<(), String> {
        let name = selector.name.as_ref().ok_or("a selector without a metric's name is not known here")?;
        if selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
            return Err(format!("`@` and `or` in the selector of `{name}` are not known here"));
        }
        let offset = Duration::from_millis(super::store::offset_ms(selector).unsigned_abs());
        self.looks_back = self.looks_back.max(range + offset);
        self.metrics.insert(name.clone());
        Ok(())
    }
}
