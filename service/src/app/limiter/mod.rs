//! The rate limiter: who has asked how often, in Redis for all replicas together, else in this process.

mod local;
mod shared;

use std::{net::IpAddr, sync::Arc};

use uuid::Uuid;

use self::{local::Local, shared::Shared};
use crate::{
    config::{DatabaseUrl, RateLimits},
    domain::quota::{Class, Quotas, Verdict},
    metrics::Metrics,
};

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// A user's.
    User(Uuid),
    /// Those from one address, or from one /64 network of IPv6, which is what one client has.
    Ip(IpAddr),
}

/// Counts requests and refuses those that are too many.
pub(crate) struct Limiter {
    quotas: Quotas,
    local: Local,
    shared: Option<Shared>,
}

impl Limiter {
    /// The limiter of these settings; none when limits are off.
    ///
    /// # Errors
    /// The address of Redis cannot be used. It need not be up.
    pub(crate) fn open(settings: &RateLimits, metrics: &Arc<Metrics>) -> redis::RedisResult<Option<Self>> {
        if !settings.are_on {
            return Ok(None);
        }
        let open = |url: &DatabaseUrl| Shared::open(url.expose(), settings.redis_timeout, Arc::clone(metrics));
        let shared = settings.redis_url.as_ref().map(open);
        Ok(Some(Self { quotas: Quotas::new(settings.factor), local: Local::new(), shared: shared.transpose()? }))
    }

    /// Counts a request, or refuses it.
    pub(crate) async fn ask(&self, subject: Subject, class: Class) -> Verdict {
        let meters = self.quotas.of(class);
        if let Some(shared) = &self.shared
            && let Some(verdict) = shared.ask(subject, meters, Quotas::forgotten_after_us(class)).await
        {
            return verdict;
        }
        self.local.ask(subject, meters, Quotas::forgotten_after_us(class))
    }
}

impl Subject {
    /// The client at an address.
    pub(crate) fn at(address: IpAddr) -> Self {
        const NETWORK: u128 = !(u64::MAX as u128);
        Self::Ip(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & NETWORK).into()),
        })
    }
}
