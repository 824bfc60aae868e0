//! Pushes the totals to an OpenTelemetry collector: OTLP over HTTP, protobuf, every ten seconds and at the end.
//!
//! A collector that does not take them is told of once and changes nothing about the run.
use super::{
    board::Board,
    totals::{BOUNDS_S, Buckets, EXPORTED, StepTotals},
};
use crate::{hosts, output};
use anyhow::{Context as _, bail};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use prost::Message as _;
use reports::{record::Outcome, units};
use reqwest::Url;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::{MissedTickBehavior, interval};

/// Time between two pushes.
const PERIOD: Duration = Duration::from_secs(10);
/// How long one push may take.
const LONGEST_PUSH: Duration = Duration::from_secs(3);

/// Pushes to one collector.
#[derive(Debug)]
pub(crate) struct Exporter {
    url: Url,
    started_unix_ns: u64,
    is_failing: bool,
}

impl Exporter {
    /// For a collector's base URL, or the whole URL that it takes metrics at.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let mut url = hosts::http_url(url)?;
        if url.path() == "/" {
            url.set_path("/v1/metrics");
        }
        Ok(Self { url, started_unix_ns: unix_ns(), is_failing: false })
    }

    /// Pushes until `end` is cancelled, and then once more.
    pub(super) async fn run(mut self, board: Arc<Board>, end: impl Future<Output = ()>) {
        let client = reqwest::Client::builder().timeout(LONGEST_PUSH).no_proxy().build();
        let client = client.expect("the settings are constant and valid");
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        tokio::pin!(end);
        loop {
            let is_last = tokio::select! {
                _ = ticks.tick() => false,
                () = &mut end => true,
            };
            let pushed = self.push(&client, &board).await;
            match pushed {
                Ok(()) => self.is_failing = false,
                Err(error) if !self.is_failing => {
                    self.is_failing = true;
                    output::note(&format!("note: the collector does not take the metrics, the run goes on: {error:#}"));
                }
                Err(error) => tracing::debug!("the collector does not take the metrics: {error:#}"),
            }
            if is_last {
                return;
            }
        }
    }

    async fn push(&self, client: &reqwest::Client, board: &Board) -> anyhow::Result<()> {
        let body = request(board, self.started_unix_ns, unix_ns()).encode_to_vec();
        let sent = client.post(self.url.clone()).header("content-type", "application/x-protobuf").body(body).send();
        let status = sent.await.with_context(|| format!("pushing to {}", self.url))?.status();
        if !status.is_success() {
            bail!("{} answered {status}", self.url);
        }
        Ok(())
    }
}

fn unix_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    units::nanos(since_epoch)
}

/// When a figure was taken, and since when it counts.
#[derive(Debug, Clone, Copy)]
struct Taken {
    started_unix_ns: u64,
    unix_ns: u64,
}

fn request(board: &Board, started_unix_ns: u64, unix_ns: u64) -> ExportMetricsServiceRequest {
    let taken = Taken { started_unix_ns, unix_ns };
    let subject = &board.subject;
    let attributes = [
        ("service.name", "tripsage-harness"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("harness.run", &subject.run),
        ("harness.scenario", &subject.scenario),
    ];
    let scope = InstrumentationScope { name: "harness".to_owned(), ..Default::default() };
    let metrics = ScopeMetrics { scope: Some(scope), metrics: metrics(board, taken), ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes: attributes.map(attribute).to_vec(), ..Default::default() }),
            scope_metrics: vec![metrics],
            ..Default::default()
        }],
    }
}

fn metrics(board: &Board, taken: Taken) -> Vec<Metric> {
    board.read(|state| {
        let counts = &state.counts;
        let by_class = state.totals.steps.iter().flat_map(|step| {
            Outcome::ALL.map(|outcome| {
                let attributes = [("journey", &*step.journey), ("step", &*step.name), ("outcome", outcome.name())];
                number(&attributes, step.outcomes[outcome as usize], taken)
            })
        });
        let on = board.phase_at(state.now_ns).map(|phase| phase.faults.as_slice()).unwrap_or_default();
        let mut all = vec![
            sum("harness.requests", "Requests with an outcome.", by_class.collect()),
            sum("harness.requests.offered", "Requests that became due.", vec![number(&[], counts.offered, taken)]),
            sum("harness.arrivals.dropped", "Arrivals that were given up.", vec![number(&[], counts.dropped, taken)]),
            sum("harness.samples.lost", "Samples that were lost.", vec![number(&[], counts.lost, taken)]),
            gauge("harness.requests.in_flight", "Requests that are out.", state.in_flight, taken),
            gauge("harness.faults.on", "Faults that the plan has on.", on.len() as u64, taken),
        ];
        all.extend(EXPORTED.iter().enumerate().map(|(position, (_, measure, help))| {
            let points = state.totals.steps.iter();
            let points = points.map(|step| histogram_point(step, &step.histograms[position], taken));
            histogram(measure, help, points.collect())
        }));
        all
    })
}

fn attribute((key, value): (&str, &str)) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

fn number(attributes: &[(&str, &str)], value: u64, taken: Taken) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().copied().map(attribute).collect(),
        start_time_unix_nano: taken.started_unix_ns,
        time_unix_nano: taken.unix_ns,
        value: Some(number_data_point::Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
        ..Default::default()
    }
}

fn sum(name: &str, description: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    metric(name, description, "1", Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true }))
}

fn gauge(name: &str, description: &str, value: u64, taken: Taken) -> Metric {
    metric(name, description, "1", Data::Gauge(Gauge { data_points: vec![number(&[], value, taken)] }))
}

fn histogram(measure: &str, description: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    let data = Data::Histogram(Histogram { data_points, aggregation_temporality });
    metric(&format!("harness.{measure}"), description, "s", data)
}

fn histogram_point(step: &StepTotals, buckets: &Buckets, taken: Taken) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: [("journey", step.journey.as_str()), ("step", step.name.as_str())].map(attribute).to_vec(),
        start_time_unix_nano: taken.started_unix_ns,
        time_unix_nano: taken.unix_ns,
        count: buckets.count(),
        sum: Some(buckets.sum_s),
        bucket_counts: buckets.counts.to_vec(),
        explicit_bounds: BOUNDS_S.to_vec(),
        ..Default::default()
    }
}

fn metric(name: &str, description: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::scene::Scene;
    use axum::{Router, body::Bytes, http::StatusCode, routing::post};
    use tokio::sync::mpsc;

    /// A collector that hands over what it was sent, and answers with a status.
    async fn collector(status: StatusCode) -> (String, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(16);
        let take = move |body: Bytes| async move {
            sender.send(body).await.unwrap();
            status
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/metrics", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, receiver)
    }

    fn scene() -> Scene {
        let mut scene = Scene::new(&[]);
        for _ in 0..3 {
            scene.request(1, Outcome::Degraded, Duration::from_millis(20));
            scene.second_ends();
        }
        scene
    }

    #[tokio::test]
    async fn the_collector_gets_what_was_measured_at_the_end_at_the_latest() {
        let (url, mut received) = collector(StatusCode::OK).await;
        let scene = scene();
        Exporter::new(&url).unwrap().run(scene.board.clone(), async {}).await;
        let request = ExportMetricsServiceRequest::decode(received.recv().await.unwrap()).unwrap();
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let named = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().data.clone().unwrap();
        let Data::Sum(requests) = named("harness.requests") else { panic!("a counter") };
        let counted = requests.data_points.iter().filter(|point| {
            let values: Vec<_> = point.attributes.iter().map(|attribute| format!("{:?}", attribute.value)).collect();
            values.iter().any(|v| v.contains("trips.create")) && values.iter().any(|v| v.contains("degraded"))
        });
        let values: Vec<_> = counted.map(|point| point.value).collect();
        assert_eq!(values, [Some(number_data_point::Value::AsInt(3))]);
        assert!(requests.is_monotonic);
        let Data::Histogram(response) = named("harness.response") else { panic!("a histogram") };
        let point = &response.data_points[1];
        assert_eq!((point.count, point.bucket_counts.len()), (3, point.explicit_bounds.len() + 1));
        assert!((point.sum.unwrap() - 0.06).abs() < 1e-3, "{point:?}");
    }

    #[tokio::test]
    async fn a_collector_that_refuses_or_is_not_there_changes_nothing() {
        let (url, mut received) = collector(StatusCode::SERVICE_UNAVAILABLE).await;
        let scene = scene();
        let exporter = Exporter::new(&url).unwrap();
        let client = reqwest::Client::new();
        let refused = exporter.push(&client, &scene.board).await.unwrap_err();
        assert!(refused.to_string().contains("503"), "{refused}");
        assert!(received.recv().await.is_some());
        exporter.run(scene.board.clone(), async {}).await;
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Exporter::new(&format!("http://{nobody}")).unwrap().run(scene.board.clone(), async {}).await;
        assert_eq!(scene.board.read(|state| state.totals.of_class(Outcome::Degraded)), 3);
    }

    #[test]
    fn a_url_is_taken_as_it_is_when_it_has_a_path() {
        let url = |text: &str| Exporter::new(text).map(|exporter| exporter.url.to_string());
        assert_eq!(url("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(url("http://127.0.0.1:4318/custom").unwrap(), "http://127.0.0.1:4318/custom");
        assert!(url("127.0.0.1:4318").is_err() && url("ftp://127.0.0.1").is_err());
    }
}
