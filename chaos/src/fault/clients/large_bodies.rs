//! `large_bodies`: requests with bodies that are far too large are sent at a rate, each as fast as the service takes it.
use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reports::units::{format_rate, format_size};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    crowd::Counters,
    on_clients::{Client, OnClients},
};
use crate::fault::setting::{Error, read_size};

/// So many are under way at the most. When the service takes longer over them, they are sent less often.
const AT_A_TIME: u32 = 64;
/// A body is sent in pieces of this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Settings of large bodies in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LargeBodies {
    /// How large each is, such as `"20MiB"`, up to 1 GiB.
    #[serde(deserialize_with = "read_size")]
    #[schemars(with = "String")]
    pub size: u64,
    /// How often one is begun, such as `"5/s"`, up to 100/s; at most 64 are under way at a time.
    #[serde(with = "reports::units::rate")]
    #[schemars(with = "String")]
    pub rate: f64,
}

impl LargeBodies {
    pub(crate) fn check_settings(self) -> Result<(), Error> {
        if !(1..=1 << 30).contains(&self.size) {
            return Err(Error::NoEffect("the `size` of a large body must be from 1 byte to 1 GiB"));
        }
        let is_sane = (0.01..=100.0).contains(&self.rate);
        is_sane.then_some(()).ok_or(Error::NoEffect("the `rate` of large bodies must be from 0.01/s to 100/s"))
    }
}

impl OnClients for LargeBodies {
    fn name(&self) -> &'static str {
        "large_bodies"
    }

    fn words(&self) -> String {
        format!("large_bodies: {} of {} each", format_rate(self.rate), format_size(self.size))
    }

    fn connections(&self) -> u32 {
        AT_A_TIME
    }

    fn client(&self) -> Arc<dyn Client> {
        let mut due = interval(Duration::from_secs_f64(1.0 / self.rate));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Arc::new(Large { size: self.size, due: Mutex::new(due) })
    }
}

struct Large {
    size: u64,
    /// When the next one is begun, by whoever waits here first.
    due: Mutex<Interval>,
}

impl Client for Large {
    fn visit<'a>(&'a self, address: SocketAddr, counters: &'a Counters) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.due.lock().await.tick().await;
            let mut stream = counters.connect(address).await?;
            let head = format!(
                "POST /api/v1/auth/login HTTP/1.1\r\nhost: large\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n",
                self.size
            );
            let (mut reader, mut writer) = stream.split();
            let send = async {
                writer.write_all(head.as_bytes()).await?;
                let (piece, mut left) = (vec![b' '; PIECE_BYTES], self.size);
                while left > 0 {
                    let bytes = PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES));
                    writer.write_all(&piece[..bytes]).await?;
                    counters.sent(bytes);
                    left -= bytes as u64;
                }
                std::future::pending::<io::Result<()>>().await
            };
            // Whatever is answered, and whenever: the service has decided.
            let mut answer = [0; 4096];
            tokio::select! {
                sent = send => sent,
                read = reader.read(&mut answer) => read.map(drop),
            }
        })
    }
}
