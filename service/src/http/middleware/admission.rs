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
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{
    app::App,
    http::error::ApiError,
    metrics::{Metrics, Route, Routes},
    telemetry::spans::{self, OfRequest},
};

/// What is counted for a client that left before its answer.
const CLIENT_LEFT: u16 = 499;

/// A request in progress. It ends when the last clone is dropped: a stream keeps one until its end.
#[derive(Clone)]
pub(crate) struct Ticket(Arc<InProgress>);

struct InProgress {
    metrics: Arc<Metrics>,
    route: Arc<Route>,
    status: AtomicU16,
    started: Instant,
    span: Option<OfRequest>,
    _place: Option<OwnedSemaphorePermit>,
}

/// Admits a request or sheds it, before anything is read of its body.
pub(crate) async fn admission(
    State((app, routes)): State<(Arc<App>, Arc<Routes>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let place = Arc::clone(&app.in_flight).try_acquire_owned().ok();
    let is_admitted = place.is_some();
    let ticket = Ticket::new(&app.metrics, route_of(&routes, &request), &request, place);
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
    fn new(metrics: &Arc<Metrics>, route: Arc<Route>, request: &Request, place: Option<OwnedSemaphorePermit>) -> Self {
        metrics.in_flight.inc();
        Self(Arc::new(InProgress {
            metrics: Arc::clone(metrics),
            route,
            status: AtomicU16::new(CLIENT_LEFT),
            started: Instant::now(),
            span: request.extensions().get().cloned(),
            _place: place,
        }))
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.route.finished(self.status.load(Ordering::Relaxed), self.started.elapsed());
        self.metrics.in_flight.dec();
        if let Some(OfRequest(span)) = &self.span {
            spans::ended(span);
        }
    }
}

fn route_of(routes: &Routes, request: &Request) -> Arc<Route> {
    routes.find(request.method().as_str(), request.extensions().get().map(MatchedPath::as_str))
}
