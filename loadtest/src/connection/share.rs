//! Who uses which connection: each user its own, a pool, or streams of shared ones.
use super::{Connection, Connector, Error, Http, Opening, Pool, Sender, Streams, Turn};
use crate::{
    client::{Client, Failure},
    target::Target,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The connections of all users of one load.
#[derive(Debug)]
pub struct Connections {
    connector: Arc<Connector>,
    sharing: Sharing,
}

#[derive(Debug)]
enum Sharing {
    None,
    Pool(Arc<Pool>),
    Streams(Vec<Arc<Shared>>),
}

/// One user's way to a connection.
#[derive(Debug)]
pub(crate) enum Line {
    /// A connection of its own.
    Own,
    /// Whichever of a pool is free, for one request at a time.
    Pooled { pool: Arc<Pool>, turn: Option<Turn> },
    /// A stream of a connection that others use at the same time.
    Shared { shared: Arc<Shared>, turn: Option<Turn> },
}

/// An HTTP/2 connection that several users send on.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    connection: Mutex<Option<Sender>>,
    pub(crate) streams: Arc<Streams>,
}

impl Connections {
    /// The connections to a target. None is opened yet.
    ///
    /// # Errors
    /// When the settings do not fit the target, or the authorities' file cannot be read.
    pub fn new(target: Arc<Target>, settings: &Connection) -> Result<Self, Error> {
        let connector = Arc::new(Connector::new(target, settings.clone())?);
        let sharing = match (settings.pool, settings.http) {
            (None, _) => Sharing::None,
            (Some(size), Http::One) => Sharing::Pool(Arc::new(Pool::new(size))),
            (Some(size), Http::Two) => Sharing::Streams((0..size).map(|_| Arc::default()).collect()),
        };
        Ok(Self { connector, sharing })
    }

    /// The client of a user. Shared connections are dealt to the users in turn.
    #[must_use]
    pub fn client(&self, user: u32) -> Client {
        let line = match &self.sharing {
            Sharing::None => Line::Own,
            Sharing::Pool(pool) => Line::Pooled { pool: pool.clone(), turn: None },
            Sharing::Streams(all) => Line::Shared { shared: all[user as usize % all.len()].clone(), turn: None },
        };
        Client::over(self.connector.clone(), line)
    }

    /// Opens as many connections of a pool as so many users can use at a time, some at once. Users who are prepared in turn open fewer.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub(crate) async fn fill(&self, users: u32, at_once: usize) -> Result<(), Failure> {
        let count = match &self.sharing {
            Sharing::Pool(_) => self.connector.settings().open_at_most(users),
            Sharing::None | Sharing::Streams(_) => 0,
        };
        let holding = (0..count).map(|user| async move {
            let mut client = self.client(user);
            client.hold().await.map(|()| client)
        });
        let held: Vec<Client> = stream::iter(holding).buffer_unordered(at_once).try_collect().await?;
        // Only now: one that was given back would be taken again instead of opening the next.
        held.into_iter().for_each(Client::release);
        Ok(())
    }

    /// One line for people, such as `HTTP/1.1 over TLS, one connection per user`.
    #[must_use]
    pub fn description(&self) -> String {
        self.connector.settings().description(self.connector.target().is_tls())
    }
}

impl Shared {
    /// A sender on the connection, which is opened if there is none; and whether it was.
    pub(crate) async fn sender(&self, connector: &Connector, opening: &mut Opening) -> Result<(Sender, bool), Failure> {
        // Held while it is opened, so that all who come meanwhile share what they wait for.
        let mut shared = self.connection.lock().await;
        if let Some(open) = &mut *shared
            && open.is_usable().await
            && let Some(sender) = open.share()
        {
            return Ok((sender, false));
        }
        let opened = connector.open(opening, Some(&self.streams)).await?;
        *shared = opened.share();
        Ok((opened, true))
    }
}
