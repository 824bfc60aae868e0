//! The series of each route, found by its template without an allocation or a lock.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

use super::labels::{RequestLabels, RouteLabels};

/// What is counted for a method that the route does not have.
const OTHER: &str = "other";
/// What is counted where no route was matched.
const UNMATCHED: &str = "unmatched";
/// The statuses of answers, in order. Any other is counted as well, a little slower.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410, 413, 415, 422, 429, 499, 500, 501, 502, 503,
    504,
];

type Seconds = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// All routes that are counted: a closed set.
pub(crate) struct Routes {
    by_template: HashMap<String, Vec<Arc<Route>>>,
    unmatched: Arc<Route>,
}

/// The series of one method of a route. They appear with the first request.
pub(crate) struct Route {
    method: &'static str,
    template: Arc<str>,
    requests: Family<RequestLabels, Counter>,
    all_seconds: Seconds,
    seconds: OnceLock<Histogram>,
    by_status: [OnceLock<Counter>; STATUSES.len()],
}

impl Routes {
    /// Of these methods and templates.
    pub(super) fn new(
        requests: &Family<RequestLabels, Counter>,
        seconds: &Seconds,
        methods: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let route = |method, template: &str| {
            Arc::new(Route {
                method,
                template: template.into(),
                requests: requests.clone(),
                all_seconds: seconds.clone(),
                seconds: OnceLock::new(),
                by_status: [const { OnceLock::new() }; STATUSES.len()],
            })
        };
        let mut by_template: HashMap<String, Vec<_>> = HashMap::new();
        for (method, template) in methods {
            let of_template = by_template.entry(template.clone()).or_insert_with(|| vec![route(OTHER, &template)]);
            of_template.push(route(method, &template));
        }
        Self { by_template, unmatched: route(OTHER, UNMATCHED) }
    }

    /// The series of a method of a template; what is not known is one series.
    pub(crate) fn find(&self, method: &str, template: Option<&str>) -> Arc<Route> {
        let of_template = template.and_then(|template| self.by_template.get(template)).map(Vec::as_slice);
        let exact = of_template.and_then(|routes| routes.iter().find(|route| route.method == method));
        Arc::clone(exact.or(of_template.and_then(<[_]>::first)).unwrap_or(&self.unmatched))
    }
}

impl Route {
    /// Counts a finished request.
    pub(crate) fn finished(&self, status: u16, took: Duration) {
        let of_route = || RouteLabels { method: self.method, route: Arc::clone(&self.template) };
        let seconds = self.seconds.get_or_init(|| self.all_seconds.get_or_create_owned(&of_route()));
        seconds.observe(took.as_secs_f64());
        let counter = || {
            self.requests.get_or_create_owned(&RequestLabels {
                method: self.method,
                route: Arc::clone(&self.template),
                status,
            })
        };
        match STATUSES.binary_search(&status) {
            Ok(place) => self.by_status[place].get_or_init(counter).inc(),
            Err(_) => counter().inc(),
        };
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::metrics::Metrics;

    #[rstest]
    #[case("GET", Some("/trips/{id}"), 200, "{method=\"GET\",route=\"/trips/{id}\",status=\"200\"}")]
    #[case("GET", Some("/trips/{id}"), 418, "{method=\"GET\",route=\"/trips/{id}\",status=\"418\"}")]
    #[case("BREW", Some("/trips/{id}"), 405, "{method=\"other\",route=\"/trips/{id}\",status=\"405\"}")]
    #[case("GET", Some("/trips/7"), 404, "{method=\"other\",route=\"unmatched\",status=\"404\"}")]
    #[case("GET", None, 404, "{method=\"other\",route=\"unmatched\",status=\"404\"}")]
    fn a_request_is_counted_in_a_closed_set_of_series(
        #[case] method: &str,
        #[case] template: Option<&str>,
        #[case] status: u16,
        #[case] labels: &str,
    ) {
        let metrics = Metrics::new();
        let routes = metrics.routes([("GET", "/trips/{id}".to_owned()), ("PUT", "/trips/{id}".to_owned())]);
        for _ in 0..2 {
            routes.find(method, template).finished(status, Duration::from_millis(3));
        }
        let page = metrics.render();
        let series: Vec<_> = page.lines().filter(|line| line.starts_with("tripsage_requests_total")).collect();
        assert_eq!(series, [format!("tripsage_requests_total{labels} 2")]);
        let observed = page.lines().filter(|line| line.starts_with("tripsage_request_duration_seconds_count"));
        assert_eq!(observed.map(|line| line.rsplit(' ').next().unwrap()).collect::<Vec<_>>(), ["2"]);
    }

    #[test]
    fn the_statuses_are_in_order() {
        assert!(STATUSES.is_sorted());
    }
}
