//! What a virtual user does from its start to its end: it takes arrivals, or makes its own, and carries them out.
use crate::{
    live::Live,
    pacer::Released,
    schedule::Arrival,
    visit::{Open, User, Visit},
};
use async_channel::Receiver;
use reports::units;
use std::{sync::Arc, thread};
use tokio::time::Instant;

/// Carries out arrivals until there are no more, or the run is stopped. What was under way when it was stopped at once is counted.
pub(crate) async fn live(user: User, live: Arc<Live>, queue: Receiver<Released>) {
    let mut life = Life { user: Some(user), live };
    let Life { user: Some(user), live } = &mut life else { return };
    let work = async {
        match live.plan.closed() {
            Some(_) => make_arrivals(user, live).await,
            None => take_arrivals(user, live, queue).await,
        }
    };
    tokio::select! {
        biased;
        () = live.stop.now.cancelled() => {}
        () = work => {}
    }
}

/// A user at work. However it ends, what it was at is handed in, and its seconds are not kept open for it.
struct Life {
    user: Option<User>,
    live: Arc<Live>,
}

impl Drop for Life {
    fn drop(&mut self) {
        let Some(mut user) = self.user.take() else { return };
        if let Some(open) = user.open.take() {
            self.live.unfinished(user.index, open);
        }
        self.live.mailboxes.user_is_free(user.index);
        self.live.ended();
        self.live.come_home(user);
        if thread::panicking() {
            // The run cannot be what was planned any more: no reason to carry on for hours.
            self.live.stop.now.cancel();
        }
    }
}

/// Open model: whatever is next in the queue.
async fn take_arrivals(user: &mut User, live: &Arc<Live>, queue: Receiver<Released>) {
    let (index, last_start) = (user.index, live.last_start());
    live.mailboxes.user_is_free(index);
    let mut free_ns = live.ns(Instant::now());
    while let Ok(Released { arrival, released_ns }) = queue.recv().await {
        live.mailboxes.user_is_at(index, arrival.due_ns);
        if live.stop.is_stopping() || Instant::now() > last_start {
            live.left(arrival.due_ns);
        } else {
            // From the later of the two on, the generator has all that it needs.
            carry_out(user, live, arrival, free_ns.saturating_sub(released_ns)).await;
        }
        live.mailboxes.user_is_free(index);
        free_ns = live.ns(Instant::now());
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
        let done_ns = carry_out(user, live, arrival, 0).await;
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

/// Carries out one arrival that waited so long for its user, and says when its last answer was complete.
async fn carry_out(user: &mut User, live: &Arc<Live>, arrival: Arrival, mut waited_ns: u64) -> u64 {
    user.open = Some(Open::arrival(arrival.due_ns));
    if let Some(session) = &mut user.session {
        let begun = Instant::now();
        session.keep_alive(&mut user.client).await;
        // A user who logs in again is not free yet.
        waited_ns += units::nanos(begun.elapsed());
    }
    let journey = live.plan.routes()[arrival.journey_index].journey.clone();
    let mut visit = Visit::new(live, user, arrival, waited_ns);
    journey.travel(&mut visit).await;
    visit.done_ns()
}
