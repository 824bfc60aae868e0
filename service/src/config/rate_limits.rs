//! Rate limits: whether, how much, who a client is, and where they are counted.

use std::time::Duration;

use super::{DatabaseUrl, Error, Network, Vars};

/// How many requests are allowed. Without a factor that is, per user, 60 a minute, 1000 an hour, 10 000 a day and 10 at
/// once; of these 20 chats and 10 key operations a minute; and 12 a minute from an address without an access token.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// `TRIPSAGE_RATE_LIMITS`: `on` or `off`. Default `on`.
    pub are_on: bool,
    /// `TRIPSAGE_RATE_LIMIT_FACTOR`: every limit is multiplied by it, 0.01 to 1000. Default 1.
    pub factor: f64,
    /// `TRIPSAGE_TRUSTED_PROXIES`: addresses and networks of proxies whose `X-Forwarded-For` is believed, separated by
    /// commas. Default none: the client is who connects.
    pub trusted_proxies: Vec<Network>,
    /// `REDIS_URL`: where requests are counted for all replicas together (`redis://` or `unix://`, no TLS). Default none:
    /// each counts its own.
    pub redis_url: Option<DatabaseUrl>,
    /// `TRIPSAGE_REDIS_TIMEOUT`: longest wait for Redis before a request is counted by this process alone. Default `50ms`.
    pub redis_timeout: Duration,
}

impl RateLimits {
    pub(super) fn read(vars: &mut Vars) -> Result<Self, Error> {
        const FACTOR: &str = "TRIPSAGE_RATE_LIMIT_FACTOR";
        const FACTOR_EXPECTED: &str = "a number from 0.01 to 1000";
        let factor = vars.parsed(FACTOR, FACTOR_EXPECTED)?.unwrap_or(1.0);
        if !(0.01..=1000.0).contains(&factor) {
            return Err(Error::Invalid { name: FACTOR, value: factor.to_string(), expected: FACTOR_EXPECTED });
        }
        let network = |text: &str| text.parse().ok();
        Ok(Self {
            are_on: vars.switch("TRIPSAGE_RATE_LIMITS", true)?,
            factor,
            trusted_proxies: vars.each(
                "TRIPSAGE_TRUSTED_PROXIES",
                "addresses or networks such as 10.0.0.0/8",
                network,
            )?,
            redis_url: vars.text("REDIS_URL").map(DatabaseUrl),
            redis_timeout: vars.duration("TRIPSAGE_REDIS_TIMEOUT", Duration::from_millis(50))?,
        })
    }
}
