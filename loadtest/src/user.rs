//! What a virtual user does from its start to its end: it takes arrivals, or makes its own, and carries them out.
use crate::{
    live::Live,
    pacer::Released,
    schedule::Arrival,
    visit::{Open, User, Visit},
};
use async_channel::Receiver;
use std::sync::Arc;
use tokio::time::Instant;

/// Carries out arrivals until there are no more, or the run is stopped. What was under way when it was stopped at once is counted.
pub(crate) async fn live(mut user: User, live: Arc<Live>, queue: Receiver<Released>) {
    let index = user.index;
    let work = async {
        match live.plan.closed() {
            Some(_) => make_arrivals(&mut user, &live).await,
            None => take_arrivals(&mut user, &live, queue).await,
        }
    };
    tokio::select! {
        biased;
        () = live.stop.now.cancelled() => {}
        () = work => {}
    }
    if let Some(Open { due_ns, sent_ns }) = user.open.take() {
        live.unfinished(index, due_ns, sent_ns);
    }
    live.mailboxes.user_is_free(index);
}

/// Open model: whatever is next in the queue.
async fn take_arrivals(user: &mut User, live: &Arc<Live>, queue: Receiver<Released>) {
    let (index, last_start) = (user.index, live.last_start());
    live.mailboxes.user_is_free(index);
    while let Ok(Released { arrival, released_ns }) = queue.recv().await {
        live.mailboxes.user_is_at(index, arrival.due_ns);
        if live.stop.is_stopping() || Instant::now() > last_start {
            live.unfinished(index, arrival.due_ns, None);
        } else {
            carry_out(user, live, arrival, released_ns).await;
        }
        live.mailboxes.user_is_free(index);
    }
}

/// Closed model: its own arrivals, each due one pacing after the last.
async fn make_arrivals(user: &mut User, live: &Arc<Live>) {
    let (plan, index) = (live.plan.clone(), user.index);
    let closed = plan.closed().expect("called for a closed model");
    let (users, mut order) = (plan.settings().users, plan.order());
    let mut due_ns = closed.first_due_ns(index, users);
    for k in (u64::from(index)..).step_by(users as usize) {
        live.mailboxes.user_is_at(index, due_ns);
        if due_ns >= plan.end_ns() || !is_due(user, live, due_ns).await {
            return;
        }
        let arrival = Arrival { index: k, due_ns, journey_index: order.journey_index(k) };
        live.arrived(index, arrival.journey_index, due_ns);
        let released_ns = live.ns(Instant::now()).max(due_ns);
        let done_ns = carry_out(user, live, arrival, released_ns).await;
        due_ns = closed.next_due_ns(plan.seed(), k, due_ns, done_ns);
    }
}

/// Waits for an instant; whether it came before the run was to be drained.
async fn is_due(user: &User, live: &Live, due_ns: u64) -> bool {
    let due = live.instant(due_ns);
    if Instant::now() >= due {
        return !live.stop.is_stopping();
    }
    tokio::select! {
        biased;
        () = live.stop.stopping() => false,
        waited = user.timer.until(due) => waited.is_ok(),
    }
}

/// Carries out one arrival, and says when its last answer was complete.
async fn carry_out(user: &mut User, live: &Arc<Live>, arrival: Arrival, released_ns: u64) -> u64 {
    user.open = Some(Open { due_ns: arrival.due_ns, sent_ns: None });
    if let Some(session) = &mut user.session {
        session.keep_alive(&mut user.client).await;
    }
    let journey = live.plan.routes()[arrival.journey_index].journey;
    let mut visit = Visit::new(live, user, arrival, released_ns);
    journey.travel(&mut visit).await;
    visit.done_ns()
}
