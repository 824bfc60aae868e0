//! What runs beside the requests for the users' data: sealing the audit log, reading the ledger of deletions, erasing,
//! exporting. Each at its own pace; all replicas run all of it, and take turns in the database.

use std::{sync::Arc, time::Duration};

use tokio::{
    join, select,
    sync::Notify,
    time::{Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{App, audit_sealer::Sealer, background::turn};

/// Does it all until the service stops. What is under way then is dropped: it is done by another replica or the next start.
pub(crate) async fn account_work(app: Arc<App>, stop: CancellationToken) {
    let all = async { join!(seal(&app), read_deletions(&app), erase(&app), export(&app)) };
    select! {
        () = stop.cancelled() => {}
        _ = all => {}
    }
}

async fn seal(app: &App) {
    let mut sealer = Sealer::new();
    let mut turns = turns(app.config.account.audit_seal_every);
    loop {
        turns.tick().await;
        turn(sealer.seal(app), "audit events are not sealed").await;
    }
}

async fn read_deletions(app: &App) {
    let mut turns = turns(app.config.account.deletions_read_every);
    loop {
        turns.tick().await;
        turn(app.deletions.read(&app.storage), "the ledger of deletions is not read").await;
    }
}

async fn erase(app: &App) {
    let mut turns = turns(app.config.account.work_every);
    loop {
        next(&mut turns, &app.deletions.due).await;
        turn(app.erase_due(), "deleted users are not erased").await;
    }
}

async fn export(app: &App) {
    let mut turns = turns(app.config.account.work_every);
    loop {
        next(&mut turns, &app.exports_due).await;
        turn(app.build_exports(), "exports are not built").await;
    }
}

fn turns(period: Duration) -> Interval {
    let mut turns = interval(period);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// The next turn, or the bell before it.
async fn next(turns: &mut Interval, bell: &Notify) {
    select! {
        _ = turns.tick() => {}
        () = bell.notified() => {}
    }
}
