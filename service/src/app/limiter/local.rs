//! The counts of this process: bounded, and forgotten when they no longer matter.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use super::Subject;
use crate::domain::quota::{Meter, Slots, Verdict, judge};

/// Clients that are counted at a time. When there are more, some start anew.
const CLIENTS_MAX: usize = 131_072;
/// Parts with a lock each, so that requests seldom wait for one another.
const SHARDS: usize = 64;
/// How often a full shard is searched for clients that can be forgotten.
const SWEEP_EVERY_US: u64 = 1_000_000;

/// Counts by client.
pub(super) struct Local {
    started: Instant,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
    clients_per_shard: usize,
}

#[derive(Default)]
struct Shard {
    clients: HashMap<Subject, Client>,
    sweep_due_us: u64,
}

struct Client {
    slots: Slots,
    forget_at_us: u64,
}

impl Local {
    pub(super) fn new() -> Self {
        Self::with_room_for(CLIENTS_MAX)
    }

    fn with_room_for(clients: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self {
            started: Instant::now(),
            hasher: RandomState::new(),
            shards,
            clients_per_shard: clients.div_ceil(SHARDS),
        }
    }

    pub(super) fn ask(&self, subject: Subject, meters: &[Meter], forgotten_after_us: u64) -> Verdict {
        let now_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        // The remainder is below the number of shards.
        let shard = (self.hasher.hash_one(subject) % SHARDS as u64) as usize;
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if !shard.clients.contains_key(&subject) && shard.clients.len() >= self.clients_per_shard {
            shard.make_room(now_us);
        }
        let new = || Client { slots: Slots::default(), forget_at_us: 0 };
        let client = shard.clients.entry(subject).or_insert_with(new);
        client.forget_at_us = client.forget_at_us.max(now_us.saturating_add(forgotten_after_us));
        judge(meters, &mut client.slots, now_us)
    }

    #[cfg(test)]
    fn clients(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().clients.len()).sum()
    }
}

impl Shard {
    /// Forgets whoever has not been here for long, or else anyone.
    fn make_room(&mut self, now_us: u64) {
        if self.sweep_due_us <= now_us {
            self.sweep_due_us = now_us + SWEEP_EVERY_US;
            let before = self.clients.len();
            self.clients.retain(|_, client| client.forget_at_us > now_us);
            if self.clients.len() < before {
                return;
            }
        }
        if let Some(any) = self.clients.keys().next().copied() {
            self.clients.remove(&any);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use uuid::Uuid;

    use super::*;
    use crate::domain::quota::{Class, Quotas};

    fn is_admitted(local: &Local, subject: Subject, class: Class) -> bool {
        let quotas = Quotas::new(1.0);
        local.ask(subject, quotas.of(class), Quotas::forgotten_after_us(class)).wait_us.is_none()
    }

    fn address(number: u32) -> Subject {
        Subject::at(Ipv4Addr::from_bits(number).into())
    }

    #[tokio::test(start_paused = true)]
    async fn each_client_has_a_count_of_its_own() {
        let local = Local::new();
        let (ann, ben) = (Subject::User(Uuid::from_u128(1)), Subject::User(Uuid::from_u128(2)));
        assert_eq!((0..20).filter(|_| is_admitted(&local, ann, Class::User)).count(), 10);
        assert!(is_admitted(&local, ben, Class::User));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..20).filter(|_| is_admitted(&local, ann, Class::User)).count(), 1);
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let at = |text: &str| Subject::at(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_stays_within_the_bound_and_the_idle_are_forgotten_first() {
        let local = Local::with_room_for(SHARDS * 4);
        let user = Subject::User(Uuid::from_u128(1));
        assert!(is_admitted(&local, user, Class::User));
        for number in 0..10_000 {
            assert!(is_admitted(&local, address(number), Class::Ip));
        }
        assert_eq!(local.clients(), SHARDS * 4);
        // Addresses count for two minutes; all that the next ones meet are old by then.
        tokio::time::advance(Duration::from_secs(121)).await;
        for number in 20_000..20_000 + 10_000 {
            is_admitted(&local, address(number), Class::Ip);
        }
        assert!(local.clients() <= SHARDS * 4);
    }
}
