//! `slow_clients`: so many clients send the head of a request byte by byte and never come to its end (slow loris).
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{MissedTickBehavior, interval},
};

use super::{
    crowd::Counters,
    on_clients::{Client, OnClients, check_connections},
};
use crate::fault::{bandwidth::read_rate, setting::Error};

/// Settings of slow clients in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowClients {
    /// How many there are, from 1 to 10000. One whose connection the service closes begins anew after 100 ms.
    pub connections: u32,
    /// How fast each of them sends, such as `"10B/s"`, from 1 to 1000 bytes per second.
    #[serde(deserialize_with = "read_rate")]
    #[schemars(with = "String")]
    pub rate: u64,
}

impl SlowClients {
    pub(crate) fn check_settings(self) -> Result<(), Error> {
        check_connections(self.connections)?;
        match self.rate {
            1..=1_000 => Ok(()),
            _ => Err(Error::NoEffect("the `rate` of a slow client must be from 1B/s to 1000B/s")),
        }
    }
}

impl OnClients for SlowClients {
    fn name(&self) -> &'static str {
        "slow_clients"
    }

    fn words(&self) -> String {
        format!("slow_clients: {} requests whose heads come at {} B/s and never end", self.connections, self.rate)
    }

    fn connections(&self) -> u32 {
        self.connections
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::new(Slow { every: Duration::from_secs(1) / u32::try_from(self.rate).unwrap_or(1).max(1) })
    }
}

/// The head of a request, up to a header that goes on for ever.
const HEAD: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: slow\r\nx-slow: ";

struct Slow {
    /// Time from one byte to the next.
    every: Duration,
}

impl Client for Slow {
    fn visit<'a>(&'a self, address: SocketAddr, counters: &'a Counters) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            let mut stream = counters.connect(address).await?;
            let (mut head, mut answer) = (HEAD.iter().chain(std::iter::repeat(&b's')), [0; 512]);
            let mut due = interval(self.every);
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = due.tick() => {
                        let byte = head.next().copied().unwrap_or(b's');
                        counters.sent(1);
                        stream.write_all(&[byte]).await?;
                    }
                    // An answer to half a request, or the end: either way, the service has had enough.
                    read = stream.read(&mut answer) => {
                        if read? == 0 {
                            return Ok(());
                        }
                    }
                }
            }
        })
    }
}
