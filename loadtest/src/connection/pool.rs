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

/// The right to use one connection of a pool, or one stream of a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    permit: OwnedSemaphorePermit,
    /// How long it was waited for.
    pub(crate) waited: Duration,
}

impl Turn {
    /// Waits for one of these turns.
    pub(super) async fn of(turns: &Arc<Semaphore>, timeout: Duration) -> Result<Self, Failure> {
        match turns.clone().try_acquire_owned() {
            Ok(permit) => return Ok(Self { permit, waited: Duration::ZERO }),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => unreachable!("a pool is never closed"),
        }
        let asked = Instant::now();
        match tokio::time::timeout(timeout, turns.clone().acquire_owned()).await {
            Ok(permit) => Ok(Self { permit: permit.expect("a pool is never closed"), waited: asked.elapsed() }),
            Err(_) => Err(Failure::PoolTimeout(timeout)),
        }
    }

    /// Lets nobody have it any more.
    pub(super) fn forget(self) {
        self.permit.forget();
    }
}

/// Connections that users take and give back. They are opened before the start, and again when they are needed.
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
        Turn::of(&self.turns, timeout).await
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
