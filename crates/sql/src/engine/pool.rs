//! `Pool`: connections that are idle, and a gate that limits how many are in use.
//! Not here: making and checking connections.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::fault::{Error, Result};

/// Connections of one kind.
pub(crate) struct Pool<C> {
    idle: Mutex<Vec<C>>,
    gate: Arc<Semaphore>,
}

impl<C> Pool<C> {
    /// A pool that lets so many be used at once.
    pub fn new(most: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), gate: Arc::new(Semaphore::new(most)) }
    }

    /// Leave to use one connection; with it, an idle one if there is one.
    pub async fn take(&self) -> Result<(OwnedSemaphorePermit, Option<C>)> {
        let permit = Arc::clone(&self.gate)
            .acquire_owned()
            .await
            .map_err(|_| Error::internal("the connection pool is closed"))?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok((permit, idle))
    }

    /// Gives a connection back that is fit for the next one.
    pub fn give(&self, connection: C) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Forgets the idle connections: the database went away under one of them.
    pub fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
