//! How the figures of one scenario went from point to point: where their level changed, and where the conditions did.
use super::{
    change_point::{self, ChangePoint, search},
    critical::Level,
};
use crate::record::{Difference, Point, differences};
use serde::Serialize;

/// The course of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// What it is, such as `flights.search p95`.
    pub metric: String,
    /// Position of each point that has it in [`Trend::points`].
    pub places: Vec<usize>,
    /// In nanoseconds, for each of them.
    pub values_ns: Vec<f64>,
    /// Where its level changed, as positions in `places`; why it was not searched otherwise.
    #[serde(serialize_with = "as_changes")]
    pub changes: Result<Vec<ChangePoint>, change_point::Error>,
}

fn as_changes<S: serde::Serializer>(
    changes: &Result<Vec<ChangePoint>, change_point::Error>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match changes {
        Ok(changes) => changes.serialize(serializer),
        Err(why) => serializer.collect_str(why),
    }
}

impl Course {
    /// The changes that were found.
    #[must_use]
    pub fn found(&self) -> &[ChangePoint] {
        self.changes.as_deref().unwrap_or_default()
    }

    /// Stretches between changes, as positions in `places` from and to before.
    #[must_use]
    pub fn levels(&self) -> Vec<(usize, usize)> {
        let edges = [0].into_iter().chain(self.found().iter().map(|change| change.index)).chain([self.places.len()]);
        let edges: Vec<usize> = edges.collect();
        edges.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }
}

/// Conditions that were not those of the point before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Break {
    /// Position in [`Trend::points`] of the first point with the new ones.
    pub index: usize,
    /// What changed.
    pub differences: Vec<Difference>,
}

/// The history of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The scenario.
    pub scenario: String,
    /// Its points, oldest first.
    pub points: Vec<Point>,
    /// The metrics, in the order in which the first point has them.
    pub courses: Vec<Course>,
    /// Where conditions changed, but for the seed.
    pub breaks: Vec<Break>,
}

/// Reads the history of the points of one scenario, oldest first. Only latencies of steps are followed; `quantity`, such as `p95`, takes
/// those of one percentile alone.
#[must_use]
pub fn trend(scenario: &str, points: Vec<Point>, quantity: Option<&str>, level: Level, smallest: f64) -> Trend {
    let mut metrics: Vec<String> = Vec::new();
    for figure in points.iter().flat_map(|point| &point.figures) {
        let is_meant = figure.scope == "step" && figure.quantity.starts_with('p');
        let metric = figure.metric();
        if is_meant && quantity.is_none_or(|wanted| figure.quantity == wanted) && !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    let course = |metric: String| {
        let value = |(place, point): (usize, &Point)| Some((place, point.figure(&metric)?.value?));
        let (places, values_ns): (Vec<usize>, Vec<f64>) = points.iter().enumerate().filter_map(value).unzip();
        let changes = search(&values_ns, level, smallest).map(|changes| changes.points);
        Course { metric, places, values_ns, changes }
    };
    Trend {
        courses: metrics.into_iter().map(course).filter(|course| !course.places.is_empty()).collect(),
        breaks: breaks(&points),
        scenario: scenario.to_owned(),
        points,
    }
}

fn breaks(points: &[Point]) -> Vec<Break> {
    let between = |(index, pair): (usize, &[Point])| {
        let mut differences = differences(&[&pair[0].conditions, &pair[1].conditions]);
        differences.retain(|difference| difference.aspect != crate::record::Aspect::Seed);
        (!differences.is_empty()).then(|| Break { index: index + 1, differences })
    };
    points.windows(2).enumerate().filter_map(between).collect()
}
