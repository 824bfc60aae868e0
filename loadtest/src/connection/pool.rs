//! A pool of HTTP/1.1 connections: as many requests at a time as it has connections; the others wait, first come, first served.
use super::Sender;
use crate::client::Failure;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::Instant,
};

/// The right to use one connection of a pool, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    /// How long it was waited for.
    pub(crate) waited: Duration,
}

/// Connections that users take and give back. They are opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Pool {
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Sender>>,
}

impl Pool {
    pub(crate) fn new(size: u32) -> Self {
        Self { turns: Arc::new(Semaphore::new(size as usize)), idle: Mutex::default() }
    }

    /// Waits for a free connection.
    pub(crate) async fn turn(&self, timeout: Duration) -> Result<Turn, Failure> {
        match self.turns.clone().try_acquire_owned() {
            Ok(permit) => return Ok(Turn { _permit: permit, waited: Duration::ZERO }),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => unreachable!("a pool is never closed"),
        }
        let asked = Instant::now();
        match tokio::time::timeout(timeout, self.turns.clone().acquire_owned()).await {
            Ok(permit) => Ok(Turn { _permit: permit.expect("a pool is never closed"), waited: asked.elapsed() }),
            Err(_) => Err(Failure::PoolTimeout(timeout)),
        }
    }

    /// Takes the connection that was given back last; `None` when one is to be opened. Only for who has a turn.
    pub(crate) fn take(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives a connection back that can be used again. To be done before the turn ends.
    pub(crate) fn give_back(&self, connection: Sender) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
