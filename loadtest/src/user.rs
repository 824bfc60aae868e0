//! What a virtual user does from its start to its end: it takes arrivals, or makes its own, and carries them out.
use crate::{
    live::Live,
    pacer::Released,
    plan::Route,
    schedule::Arrival,
    session::{Account, Session},
    visit::{Open, User, Visit},
};
use async_channel::Receiver;
use std::{sync::Arc, thread, time::Duration};
use tokio::time::Instant;

/// How long an idle user waits at least before it renews its session again, however short its tokens live.
const RENEWED_AGAIN_AFTER: Duration = Duration::from_millis(500);

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
        leave_open(&mut user, &self.live);
        // It reads back what it has written itself.
        user.sign_in(Account::Own);
        self.live.mailboxes.user_is_free(user.index);
        self.live.ended();
        self.live.come_home(user);
        if thread::panicking() {
            // The run cannot be what was planned any more: no reason to carry on for hours.
            self.live.stop.now.cancel();
        }
    }
}

/// Counts the request that is due or out, if there is one, as unfinished.
fn leave_open(user: &mut User, live: &Live) {
    if let Some(open) = user.open.take() {
        live.unfinished(user.index, open);
    }
}

/// Open model: whatever is next in the queue.
async fn take_arrivals(user: &mut User, live: &Arc<Live>, queue: Receiver<Released>) {
    let (index, last_start) = (user.index, live.last_start());
    live.mailboxes.user_is_free(index);
    while let Some((Released { arrival, released_ns }, free_ns)) = next(user, live, &queue).await {
        live.mailboxes.user_is_at(index, arrival.due_ns);
        if live.stop.is_stopping() || Instant::now() > last_start {
            live.left(arrival.due_ns);
        } else {
            // From the later of the two on, the generator has all that it needs.
            carry_out(user, live, arrival, free_ns.saturating_sub(released_ns)).await;
        }
        live.mailboxes.user_is_free(index);
    }
}

/// Waits for the next in the queue, and says since when; `None` when it is over. Renews the session before, so that no arrival waits for
/// that while another user is free.
async fn next(user: &mut User, live: &Live, queue: &Receiver<Released>) -> Option<(Released, u64)> {
    loop {
        if queue.is_closed() && queue.is_empty() {
            return None;
        }
        renew(user, live).await;
        let free_ns = live.ns(Instant::now());
        tokio::select! {
            biased;
            released = queue.recv() => return released.ok().map(|released| (released, free_ns)),
            () = renewal_is_due(user) => {}
        }
    }
}

/// Renews its sessions if it is time, unless the run is to be drained, or nothing more will be due; whether it tried to.
async fn renew(user: &mut User, live: &Live) -> bool {
    let User { client, session, apart, .. } = user;
    let end = live.instant(live.plan.end_ns());
    let is_due = |session: &&mut Session| (session.renew_at()..end).contains(&Instant::now());
    let mut has_tried = false;
    for session in [session, apart].into_iter().flatten().filter(is_due) {
        has_tried = true;
        let is_given_up = tokio::select! {
            biased;
            () = live.stop.stopping() => true,
            () = tokio::time::sleep_until(end) => true,
            () = session.keep_alive(client, live.plan.settings().request_timeout) => false,
        };
        if is_given_up {
            client.end_turn(true);
        }
    }
    has_tried
}

/// Waits until an idle user is to renew a session; for ever, when it has none.
async fn renewal_is_due(user: &User) {
    let sessions = [&user.session, &user.apart].into_iter().flatten();
    match sessions.map(Session::renew_at).min() {
        Some(renew_at) => tokio::time::sleep_until(renew_at.max(Instant::now() + RENEWED_AGAIN_AFTER)).await,
        None => std::future::pending().await,
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
        if due_ns >= plan.end_ns() {
            return;
        }
        let Some(waited_ns) = is_due(user, live, due_ns).await else { return };
        let arrival = Arrival { index: k, due_ns, journey_index: order.journey_index(k) };
        live.arrived(index, arrival.journey_index, due_ns);
        let done_ns = carry_out(user, live, arrival, waited_ns).await;
        due_ns = closed.next_due_ns(plan.seed(), k, due_ns, done_ns);
    }
}

/// Waits for an instant, and renews the session meanwhile. Says how long after it the user was free, because it was still renewing its
/// session; `None` when the run was to be drained before.
async fn is_due(user: &mut User, live: &Live, due_ns: u64) -> Option<u64> {
    let due = live.instant(due_ns);
    let mut waited_ns = 0;
    loop {
        if renew(user, live).await {
            waited_ns = live.ns(Instant::now()).saturating_sub(due_ns);
        }
        if Instant::now() >= due {
            return (!live.stop.is_stopping()).then_some(waited_ns);
        }
        tokio::select! {
            biased;
            () = live.stop.stopping() => return None,
            waited = user.timer.until(due) => return waited.is_ok().then_some(waited_ns),
            () = renewal_is_due(user) => {}
        }
    }
}

/// Carries out one arrival that waited so long for its user, and says when its last answer was complete.
async fn carry_out(user: &mut User, live: &Arc<Live>, arrival: Arrival, waited_ns: u64) -> u64 {
    user.open = Some(Open::arrival(arrival.due_ns));
    let Route { journey, account, .. } = live.plan.routes()[arrival.journey_index].clone();
    user.sign_in(account);
    let mut visit = Visit::new(live, user, arrival, waited_ns);
    journey.travel(&mut visit).await;
    let done_ns = visit.done_ns();
    leave_open(user, live);
    done_ns
}
