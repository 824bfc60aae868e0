//! What brings faults about: the fault proxy for those on links, the parts of the target for those on parts, and clients that crowd a link.
use std::{
    collections::HashMap,
    error,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use reports::record::FaultEffect;

use tokio::time::Instant;
use tracing::warn;

use crate::{
    control::{self, Control, Written},
    driver::chain,
    fault::{
        Crowd, Means, OnClients, OnPart,
        database::{self, Leased, Prepared},
    },
    journal::{self, Journal, Undo},
    parts::{PartError, Parts},
    timeline::{TimedFault, Timeline},
};

/// What faults can act on in a run. Clones act on the same.
#[derive(Debug, Clone, Default)]
pub struct Injectors {
    /// The fault proxy that holds the links, if there is one.
    pub links: Option<Control>,
    /// The parts of the target, if the harness started it.
    pub parts: Option<Arc<dyn Parts>>,
    /// The faults on the target's database, ready to be put on.
    database: Prepared,
    /// The crowds of clients that are there, by the name of their fault.
    crowds: Arc<Mutex<HashMap<String, Crowd>>>,
    /// Where each fault is written down before it goes on, and when it is off.
    journal: Option<Arc<Journal>>,
}

/// A fault that went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct On {
    /// From when on it held for sure: its lease counts from here.
    pub(crate) asked: Instant,
    /// When it went on.
    pub(crate) at: Instant,
    /// When it was over by itself, for a fault that is an event.
    pub(crate) over: Option<Instant>,
    /// What shows that it is on, for a fault on a part.
    pub(crate) proof: Option<String>,
}

/// A fault that went off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Off {
    /// When lifting it began.
    pub(crate) asked: Instant,
    /// When it was off.
    pub(crate) at: Instant,
    /// What shows that it is off, for a fault on a part.
    pub(crate) proof: Option<String>,
    /// What it touched, where that is counted here and not by a link.
    pub(crate) effect: Option<FaultEffect>,
}

impl Off {
    /// The end of a fault on a part.
    pub(crate) fn new(asked: Instant, at: Instant, proof: String) -> Self {
        Self { asked, at, proof: Some(proof), effect: None }
    }
}

/// A fault that this machine cannot bring about.
#[derive(Debug, thiserror::Error)]
#[error("fault `{fault}` is not possible here")]
pub struct Impossible {
    /// Its name.
    pub fault: String,
    /// Why not.
    #[source]
    pub source: Box<dyn error::Error + Send + Sync>,
}

/// Makes sure, before a run starts, that this machine can bring every fault of a timeline about, as far as that shows without doing it.
///
/// # Errors
/// With the first that it cannot.
pub fn ensure_possible(timeline: &Timeline) -> Result<(), Impossible> {
    timeline.faults().iter().try_for_each(|fault| {
        let possible = fault.fault.on_part().map_or(Ok(()), OnPart::ensure_possible);
        possible.map_err(|source| Impossible { fault: fault.name.clone(), source })
    })
}

/// Why a fault was not brought about, kept up or lifted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Link(#[from] control::Error),
    #[error(transparent)]
    Part(#[from] PartError),
    #[error(transparent)]
    Database(#[from] database::Error),
    #[error(
        "cannot send clients for fault `{fault}` to {listen}: only links that listen on this machine's loopback are crowded"
    )]
    Beyond { fault: String, listen: String },
    #[error(transparent)]
    Journal(#[from] journal::Error),
    #[error("nothing here can bring fault `{fault}` about: {missing}")]
    Missing { fault: String, missing: &'static str },
}

impl Error {
    /// True when the fault is no longer there.
    pub(crate) fn is_not_found(&self) -> bool {
        match self {
            Self::Link(error) => error.is_not_found(),
            Self::Part(error) => matches!(error, PartError::Over { .. }),
            Self::Database(error) => error.is_not_found(),
            Self::Journal(_) | Self::Missing { .. } | Self::Beyond { .. } => false,
        }
    }

    /// True when trying again is of no use: a part that does not start is reported at once, and the run ends.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Part(PartError::Start { .. }))
    }

    /// True when nothing has changed.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Link(error) => error.is_refusal(),
            Self::Part(error) => matches!(error, PartError::Down { .. } | PartError::Up { .. }),
            // Whatever failed, part of the fault may be on.
            Self::Database(_) => false,
            // It is written before anything is done.
            Self::Journal(_) | Self::Missing { .. } | Self::Beyond { .. } => true,
        }
    }
}

impl From<Control> for Injectors {
    fn from(links: Control) -> Self {
        Self::new(Some(links), None)
    }
}

impl From<&Control> for Injectors {
    fn from(links: &Control) -> Self {
        links.clone().into()
    }
}

impl Injectors {
    /// What a target has: links, parts of the harness's own, both or neither.
    #[must_use]
    pub fn new(links: Option<Control>, parts: Option<Arc<dyn Parts>>) -> Self {
        Self { links, parts, ..Self::default() }
    }

    /// With the faults on its database.
    #[must_use]
    pub fn with_database(self, database: Prepared) -> Self {
        Self { database, ..self }
    }

    /// With a journal, by which a later harness finds what this one has left, should it be killed.
    #[must_use]
    pub fn with_journal(self, journal: Journal) -> Self {
        Self { journal: Some(Arc::new(journal)), ..self }
    }

    /// Puts a fault on, and sees that it is.
    pub(crate) async fn apply(&self, fault: &TimedFault) -> Result<On, Error> {
        if let Some(journal) = &self.journal
            && let Some(undo) = Undo::of(fault, self.links.as_ref(), self.parts.as_deref())
        {
            journal.note_on(&fault.name, undo)?;
        }
        let on = self.put_on(fault).await;
        if on.as_ref().is_err_and(Error::is_refusal) {
            self.note_off(fault);
        }
        on
    }

    /// Lifts a fault, and sees that it is gone; one that is gone already is no error.
    pub(crate) async fn lift(&self, fault: &TimedFault) -> Result<Off, Error> {
        let off = self.take_off(fault).await?;
        self.note_off(fault);
        Ok(off)
    }

    fn note_off(&self, fault: &TimedFault) {
        let noted = self.journal.as_ref().map_or(Ok(()), |journal| journal.note_off(&fault.name));
        // A later sweep finds that it is gone.
        noted.unwrap_or_else(|error| warn!(fault = %fault.name, "{}", chain(&error)));
    }

    async fn put_on(&self, fault: &TimedFault) -> Result<On, Error> {
        if fault.means == Means::Database {
            let written = self.prepared(fault)?.inject(fault.lease).await?;
            return Ok(On { asked: written.before, at: middle(written), over: None, proof: None });
        }
        if let Some(clients) = fault.fault.on_clients() {
            return self.gather(fault, clients).await;
        }
        let Some(part) = &fault.part else {
            let written = self.control(fault)?.apply(fault).await?;
            return Ok(On { asked: written.before, at: middle(written), over: None, proof: None });
        };
        Ok(fault.on_part()?.apply(self.parts(fault)?, part).await?)
    }

    /// Lets a crowd of clients come to where the link listens, if that is on this machine.
    async fn gather(&self, fault: &TimedFault, clients: &dyn OnClients) -> Result<On, Error> {
        let listen = self.control(fault)?.link(&fault.link).await?.listen;
        let address = listen.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
        let beyond = || Error::Beyond { fault: fault.name.clone(), listen };
        let crowd = Crowd::gather(clients, address.ok_or_else(beyond)?);
        let at = Instant::now();
        self.crowds().insert(fault.name.clone(), crowd);
        Ok(On { asked: at, at, over: None, proof: None })
    }

    fn crowds(&self) -> MutexGuard<'_, HashMap<String, Crowd>> {
        self.crowds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees that a fault is still on, and keeps it so.
    pub(crate) async fn renew(&self, fault: &TimedFault) -> Result<(), Error> {
        if fault.means == Means::Database {
            return Ok(self.prepared(fault)?.renew().await?);
        }
        match &fault.part {
            None if fault.means == Means::Clients => Ok(()),
            None => Ok(self.control(fault)?.renew(fault).await?),
            Some(part) => Ok(fault.on_part()?.check(self.parts(fault)?, part)?),
        }
    }

    async fn take_off(&self, fault: &TimedFault) -> Result<Off, Error> {
        if fault.means == Means::Database {
            let leased = self.prepared(fault)?;
            let written = leased.lift().await?;
            let proof = Some(leased.seen().await.to_string());
            return Ok(Off { asked: written.before, at: written.after, proof, effect: None });
        }
        if fault.means == Means::Clients {
            let asked = Instant::now();
            let crowd = self.crowds().remove(&fault.name);
            let effect = match crowd {
                Some(crowd) => Some(crowd.disperse().await),
                None => None,
            };
            return Ok(Off { asked, at: Instant::now(), proof: None, effect });
        }
        let Some(part) = &fault.part else {
            let written = self.control(fault)?.lift(fault).await?;
            return Ok(Off { asked: written.before, at: middle(written), proof: None, effect: None });
        };
        Ok(fault.on_part()?.lift(self.parts(fault)?, part).await?)
    }

    /// How many a fault on a part hit so far; `None` when there is nothing to count.
    pub(crate) async fn hits(&self, fault: &TimedFault) -> Option<u64> {
        match self.database.get(&fault.name) {
            Some(leased) => Some(leased.seen().await.count),
            None => None,
        }
    }

    /// True when nobody but the driver would ever lift the fault, should the harness die.
    pub(crate) fn lacks_lease(&self, fault: &TimedFault) -> bool {
        fault.is_leased() && self.links.as_ref().is_some_and(|control| !control.lease_supported())
    }

    fn control(&self, fault: &TimedFault) -> Result<&Control, Error> {
        let missing = "the target has no links";
        self.links.as_ref().ok_or_else(|| Error::Missing { fault: fault.name.clone(), missing })
    }

    fn prepared(&self, fault: &TimedFault) -> Result<&Leased, Error> {
        let missing = "it was not prepared on a database of the harness's own";
        self.database.get(&fault.name).ok_or_else(|| Error::Missing { fault: fault.name.clone(), missing })
    }

    fn parts(&self, fault: &TimedFault) -> Result<&dyn Parts, Error> {
        let missing = "the target has no parts of the harness's own";
        self.parts.as_deref().ok_or_else(|| Error::Missing { fault: fault.name.clone(), missing })
    }
}

fn middle(written: Written) -> Instant {
    written.before + (written.after - written.before) / 2
}
