//! Admission: a place for each request in progress, an early 503 when there is none, and the measuring of all of them.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::Method;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{
    app::App,
    http::error::ApiError,
    metrics::{Metrics, RequestLabels, RouteLabels},
};

/// What is counted for a client that left before its answer.
const CLIENT_LEFT: u16 = 499;

/// A request in progress. It ends when the last clone is dropped: a stream keeps one until its end.
#[derive(Clone)]
pub(crate) struct Ticket(Arc<InProgress>);

struct InProgress {
    metrics: Arc<Metrics>,
    method: &'static str,
    route: String,
    status: AtomicU16,
    started: Instant,
    _place: Option<OwnedSemaphorePermit>,
}

/// Admits a request or sheds it, before anything is read of its body.
pub(crate) async fn admission(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let place = Arc::clone(&app.in_flight).try_acquire_owned().ok();
    let is_admitted = place.is_some();
    let ticket = Ticket::new(&app.metrics, &request, place);
    let response = if is_admitted {
        request.extensions_mut().insert(ticket.clone());
        next.run(request).await
    } else {
        app.metrics.shed.inc();
        ApiError::shed().into_response()
    };
    ticket.0.status.store(response.status().as_u16(), Ordering::Relaxed);
    response
}

impl Ticket {
    fn new(metrics: &Arc<Metrics>, request: &Request, place: Option<OwnedSemaphorePermit>) -> Self {
        metrics.in_flight.inc();
        let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
        Self(Arc::new(InProgress {
            metrics: Arc::clone(metrics),
            method: method_name(request.method()),
            route: route.to_owned(),
            status: AtomicU16::new(CLIENT_LEFT),
            started: Instant::now(),
            _place: place,
        }))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let (method, route, status) =
            (self.method, std::mem::take(&mut self.route), self.status.load(Ordering::Relaxed));
        let labels = RouteLabels { method, route };
        self.metrics.request_seconds.get_or_create(&labels).observe(self.started.elapsed().as_secs_f64());
        self.metrics.requests.get_or_create(&RequestLabels { method, route: labels.route, status }).inc();
        self.metrics.in_flight.dec();
    }
}

/// Methods that routes have; anything else is one label.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
