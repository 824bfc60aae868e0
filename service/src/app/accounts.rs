//! On whose account a user's calls are made: looked up in the database, and remembered for a few seconds.
//!
//! A key that was changed here is looked up anew at once; one that was changed by another instance when what is
//! remembered has grown old. While the database is down, a user who had no key goes on without one; a user of whom
//! nothing is known gets what is in the caches, and nothing is called that somebody would have to pay.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use moka::{Expiry, future::Cache};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{clock::now, key_journal};
use crate::{
    dependency::{Account, Caller, Failure, KeyNote, Notes, OwnKey, Payer, SingleFlight},
    domain::api_key::Service,
    metrics::{Look, Looks, Metrics},
    sealing::Sealer,
    storage::{API_KEY_SECRETS, Storage, StoredKey},
};

/// Its name in the metrics of caches.
const CACHE: &str = "user_keys";
/// Users remembered.
const USERS_MAX: u64 = 100_000;
/// How long it is remembered that a user had no key, for when the database is down.
const NONE_FOR: Duration = Duration::from_secs(3_600);
/// Longest wait for the database before it counts as down.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(500);
/// How exact the last use of a key is kept.
const USE_EXACT: SignedDuration = SignedDuration::from_mins(1);

/// Knows the accounts of users.
pub(crate) struct Accounts {
    storage: Arc<Storage>,
    sealer: Arc<Sealer>,
    ttl: Duration,
    /// By user and the last change here, so that nothing from before a change is found after it.
    known: Cache<Version, Known>,
    lookups: SingleFlight<Version, Known>,
    changed: Cache<Uuid, Instant>,
    notes: mpsc::Sender<KeyNote>,
    looks: Looks,
}

type Version = (Uuid, Option<Instant>);

/// What was found out about a user.
#[derive(Clone)]
struct Known {
    /// For each service for which the user has keys, the account to use.
    own: Arc<[(Service, Account)]>,
    found: Instant,
}

/// Forgets keys when they may not be used any more; that there was none, later.
struct Life {
    ttl: Duration,
}

impl Expiry<Version, Known> for Life {
    fn expire_after_create(&self, _: &Version, known: &Known, _: std::time::Instant) -> Option<Duration> {
        Some(if known.own.is_empty() { NONE_FOR.max(self.ttl) } else { self.ttl })
    }

    fn expire_after_update(
        &self,
        version: &Version,
        known: &Known,
        at: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(version, known, at)
    }
}

impl Accounts {
    /// Nothing is known yet. What is found out is used for `ttl`.
    pub(crate) fn open(storage: &Arc<Storage>, sealer: &Arc<Sealer>, ttl: Duration, metrics: &Metrics) -> Self {
        let known = Cache::builder().max_capacity(USERS_MAX).expire_after(Life { ttl }).build();
        let changed = Cache::builder().max_capacity(USERS_MAX).time_to_live(2 * NONE_FOR.max(ttl)).build();
        Self {
            storage: Arc::clone(storage),
            sealer: Arc::clone(sealer),
            ttl,
            known,
            lookups: SingleFlight::new(),
            changed,
            notes: key_journal::start(Arc::clone(storage)),
            looks: metrics.looks(CACHE),
        }
    }

    /// A call of `service` for that user by `deadline`.
    pub(crate) async fn caller(&self, user_id: Uuid, service: Service, deadline: Instant) -> Caller {
        Caller { deadline, account: self.account(user_id, service).await }
    }

    /// The account for a user's calls of `service`.
    pub(crate) async fn account(&self, user_id: Uuid, service: Service) -> Account {
        let Some(known) = self.known(user_id).await else {
            return Account::Closed { payer: Payer::Platform, failure: Failure::AccountUnknown };
        };
        let own = known.own.iter().find(|(known, _)| *known == service);
        own.map_or(Account::Platform, |(_, account)| account.clone())
    }

    /// Forgets what is known of a user whose keys have just changed.
    pub(crate) async fn forget(&self, user_id: Uuid) {
        self.changed.insert(user_id, Instant::now()).await;
    }

    async fn known(&self, user_id: Uuid) -> Option<Known> {
        let version = (user_id, self.changed.get(&user_id).await);
        let remembered = self.known.get(&version).await;
        if let Some(known) = remembered.as_ref().filter(|known| known.found.elapsed() < self.ttl) {
            self.looks.count(Look::Hit);
            return Some(known.clone());
        }
        match self.lookups.run(&version, || self.look_up(version)).await {
            Ok(known) => {
                self.looks.count(Look::Miss);
                Some(known)
            }
            Err(_) => {
                let stale = remembered.filter(|known| known.own.is_empty());
                self.looks.count(if stale.is_some() { Look::Stale } else { Look::Unknown });
                stale
            }
        }
    }

    fn look_up(&self, version: Version) -> futures_util::future::BoxFuture<'static, Result<Known, Failure>> {
        let (storage, sealer, notes) = (Arc::clone(&self.storage), Arc::clone(&self.sealer), self.notes.clone());
        let cache = self.known.clone();
        async move {
            let (found, now) = (Instant::now(), now());
            let keys = match timeout(LOOKUP_TIMEOUT, storage.stored_keys(version.0, now)).await {
                Ok(Ok(keys)) => keys,
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "keys of a user cannot be looked up");
                    return Err(Failure::AccountUnknown);
                }
                Err(_) => return Err(Failure::AccountUnknown),
            };
            let own = Service::ALL.into_iter().filter_map(|service| {
                let keys = keys.iter().filter(|stored| stored.key.service == service);
                account(keys, &sealer, &notes, now).map(|account| (service, account))
            });
            let known = Known { own: own.collect(), found };
            cache.insert(version, known.clone()).await;
            Ok(known)
        }
        .boxed()
    }
}

/// The account of a service for which the user has these keys, best first; none when there are none.
fn account<'a>(
    keys: impl Iterator<Item = &'a StoredKey> + Clone,
    sealer: &Sealer,
    notes: &mpsc::Sender<KeyNote>,
    now: Timestamp,
) -> Option<Account> {
    let alive = keys.clone().find(|stored| stored.key.expires_at > now);
    let StoredKey { key, sealed } = alive.or_else(|| keys.clone().next())?;
    let payer = Payer::Own { key_id: key.id, since: key.updated_at };
    if alive.is_none() {
        return Some(Account::Closed { payer, failure: Failure::KeyExpired });
    }
    match sealer.open(sealed, API_KEY_SECRETS.place(key.id)) {
        Ok(secret) => {
            let is_use_known = key.last_used.is_some_and(|used| now.duration_since(used) < USE_EXACT);
            let notes = Notes::new(notes.clone(), is_use_known, key.is_valid);
            Some(Account::Own(Arc::new(OwnKey { id: key.id, since: key.updated_at, secret, notes })))
        }
        Err(error) => Some(Account::Closed { payer, failure: Failure::KeyUnreadable(Arc::new(error)) }),
    }
}
