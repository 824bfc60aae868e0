//! Asks again about bookings whose outcome is open: at the start, and whenever one is due.
//!
//! Every replica does; the lease in the database gives each booking to one of them at a time.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    App,
    background::turn,
    now,
    orders::{Attempt, settle},
};
use crate::{
    domain::api_key::Service,
    domain::booking_state::State,
    storage::{self, Worker},
};

/// Bookings looked for at once; the rest is found the next time.
const SWEEP_MAX: u32 = 64;
/// Of these, worked on at once.
const CONCURRENT: usize = 4;

/// Looks after open bookings until `stop`. What it was doing then is done again by whoever comes next.
pub(crate) async fn reconcile(app: Arc<App>, stop: CancellationToken) {
    if app.servers.flights.is_none() {
        return;
    }
    let mut due = interval(app.config.bookings.retry_wait);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    let sweeping = async {
        loop {
            due.tick().await;
            let swept = sweep(&app).await;
            if let (Err(error), false) = (&swept, is_failing) {
                tracing::warn!(error = error as &dyn std::error::Error, "open bookings cannot be looked for");
            }
            is_failing = swept.is_err();
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = sweeping => {}
    }
}

async fn sweep(app: &App) -> Result<(), storage::Error> {
    let due = app.storage.due_bookings(now(), SWEEP_MAX).await?;
    let attempts = stream::iter(due).map(|id| async move {
        turn(attempt(app, id), &format!("booking {id} cannot be looked after")).await;
    });
    attempts.buffer_unordered(CONCURRENT).collect::<()>().await;
    Ok(())
}

async fn attempt(app: &App, id: Uuid) -> Result<(), storage::Error> {
    // From before the lease is taken: it must outlast the work.
    let deadline = Instant::now() + app.config.request_deadline;
    let now = now();
    let until = app.lease_end(now);
    let Some(booking) = app.storage.lease_booking(id, Worker::Background, now, until).await? else { return Ok(()) };
    let caller = app.caller(booking.user_id, Service::Flights, deadline).await;
    let settled = settle(app, booking, Attempt::Later, &caller).await?;
    let (state, attempts) = (settled.booking.state, settled.booking.attempts);
    if !matches!(state, State::Pending | State::Cancelling) {
        tracing::info!(booking = %id, state = state.as_str(), attempts, "booking {id} is {} now", state.as_str());
    }
    Ok(())
}
