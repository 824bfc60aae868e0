//! What brings faults about: the fault proxy for those on links, the parts of the target for those on parts.
use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    control::{self, Control, Written},
    fault::{
        Means,
        database::{self, Leased, Prepared},
    },
    parts::{PartError, Parts},
    timeline::TimedFault,
};

/// What faults can act on in a run. Clones act on the same.
#[derive(Debug, Clone, Default)]
pub struct Injectors {
    /// The fault proxy that holds the links, if there is one.
    pub links: Option<Control>,
    /// The parts of the target, if the harness started it.
    pub parts: Option<Arc<dyn Parts>>,
    /// The faults on the target's database, ready to be put on.
    pub database: Prepared,
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
            Self::Missing { .. } => false,
        }
    }

    /// True when nothing has changed.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Link(error) => error.is_refusal(),
            Self::Part(error) => matches!(error, PartError::Down { .. } | PartError::Up { .. }),
            // Whatever failed, part of the fault may be on.
            Self::Database(_) => false,
            Self::Missing { .. } => true,
        }
    }
}

impl From<Control> for Injectors {
    fn from(links: Control) -> Self {
        Self { links: Some(links), ..Self::default() }
    }
}

impl From<&Control> for Injectors {
    fn from(links: &Control) -> Self {
        links.clone().into()
    }
}

impl Injectors {
    /// Puts a fault on, and sees that it is.
    pub(crate) async fn apply(&self, fault: &TimedFault) -> Result<On, Error> {
        if fault.means == Means::Database {
            let written = self.prepared(fault)?.inject(fault.lease).await?;
            return Ok(On { asked: written.before, at: middle(written), over: None, proof: None });
        }
        let Some(part) = &fault.part else {
            let written = self.control(fault)?.apply(fault).await?;
            return Ok(On { asked: written.before, at: middle(written), over: None, proof: None });
        };
        Ok(fault.on_part()?.apply(self.parts(fault)?, part).await?)
    }

    /// Sees that a fault is still on, and keeps it so.
    pub(crate) async fn renew(&self, fault: &TimedFault) -> Result<(), Error> {
        if fault.means == Means::Database {
            return Ok(self.prepared(fault)?.renew().await?);
        }
        match &fault.part {
            None => Ok(self.control(fault)?.renew(fault).await?),
            Some(part) => Ok(fault.on_part()?.check(self.parts(fault)?, part)?),
        }
    }

    /// Lifts a fault, and sees that it is gone; one that is gone already is no error.
    pub(crate) async fn lift(&self, fault: &TimedFault) -> Result<Off, Error> {
        if fault.means == Means::Database {
            let leased = self.prepared(fault)?;
            let written = leased.lift().await?;
            let proof = Some(leased.seen().await.to_string());
            return Ok(Off { asked: written.before, at: written.after, proof });
        }
        let Some(part) = &fault.part else {
            let written = self.control(fault)?.lift(fault).await?;
            return Ok(Off { asked: written.before, at: middle(written), proof: None });
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
        // A part dies with the harness, and with it whatever was done to it.
        fault.part.is_none() && self.links.as_ref().is_some_and(|control| !control.lease_supported())
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
