//! The client as its users see it: options, the replica to read, transactions, locks, and news.
//! Not here: the task that keeps it so (`session`).

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::error::TransactError;
use crate::layout::Layout;
pub use crate::layout::Monitored;
use crate::lock::{Lock, Locks};
use crate::remote::Remote;
use crate::replica::{Change, Index, Replica};
use crate::session::{Command, Commands, Session};
use crate::tls::TlsFiles;
use crate::transaction::{Outcome, Transaction};

/// How many updates a slow reader of [`Client::changes`] may be behind before it must compare all.
const CHANGES_KEPT: usize = 1024;

/// What to follow, where, and how patiently.
#[derive(Clone, Debug)]
pub struct Options {
    /// Servers of one database: one, or the members of a cluster.
    pub remotes: Vec<Remote>,
    /// The database, such as `OVN_Northbound`.
    pub database: String,
    /// What is followed of it.
    pub tables: Vec<Monitored>,
    /// How rows are found.
    pub indexes: Vec<Index>,
    /// For remotes of kind `ssl`.
    pub tls: Option<TlsFiles>,
    /// Of a cluster only the leader is good enough; others may be a little behind.
    pub leader_only: bool,
    /// After this time of silence the server is asked, after as much again the connection is given
    /// up; while everything is loaded, after twelve times as much. Zero: never.
    pub probe: Duration,
    /// The least and the greatest pause after all remotes failed; it doubles in between.
    pub backoff: (Duration, Duration),
    /// How long connecting and the answer to a transaction may take.
    pub timeout: Duration,
}

impl Options {
    /// Options with everything usual: only the leader, a probe of 5 s, pauses of 100 ms to 8 s, a
    /// timeout of 10 s, nothing followed yet.
    pub fn new(remotes: Vec<Remote>, database: impl Into<String>) -> Self {
        Self {
            remotes,
            database: database.into(),
            tables: Vec::new(),
            indexes: Vec::new(),
            tls: None,
            leader_only: true,
            probe: Duration::from_secs(5),
            backoff: (Duration::from_millis(100), Duration::from_secs(8)),
            timeout: Duration::from_secs(10),
        }
    }
}

/// How the client is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// There is a connection and the replica is in step with it.
    pub connected: bool,
    /// Why there is none; kept while trying again.
    pub why: Option<String>,
    /// Counts how often the replica came into step anew. After such an event the [`Change`]s seen
    /// need not lead from what was to what is.
    pub generation: u64,
}

/// A client; a clone is the same one. When the last clone and the last lock are gone it stops.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    commands: Commands,
    database: Arc<str>,
    timeout: Duration,
}

/// What client and session share.
pub(crate) struct Shared {
    pub replica: RwLock<Replica>,
    pub loaded: AtomicBool,
    pub status: watch::Sender<Status>,
    pub changes: broadcast::Sender<Arc<[Change]>>,
    pub locks: Arc<Locks>,
}

/// The replica, unchanging while this is held: so hold it shortly, not over an `.await`, and not
/// two of one client in one thread (the second may wait for a change that waits for the first;
/// debug builds panic).
pub struct ReadGuard<'a> {
    replica: RwLockReadGuard<'a, Replica>,
    _alone: Alone,
}

impl Deref for ReadGuard<'_> {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

thread_local! {
    /// Addresses of what this thread reads, in debug builds.
    static READING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// One reading of one client by this thread.
struct Alone(usize);

impl Alone {
    fn reading(shared: &Arc<Shared>) -> Self {
        let address = Arc::as_ptr(shared).addr();
        if cfg!(debug_assertions) {
            READING.with_borrow_mut(|all| {
                assert!(!all.contains(&address), "a replica is read twice at once by one thread");
                all.push(address);
            });
        }
        Self(address)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            READING.with_borrow_mut(|all| all.retain(|address| *address != self.0));
        }
    }
}

impl Client {
    /// Begins to connect and returns at once. Needs a Tokio runtime around it.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            replica: RwLock::new(Replica::new(Arc::new(Layout::default()), &[])),
            loaded: AtomicBool::new(false),
            status: watch::Sender::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            locks: Arc::default(),
        });
        let (database, timeout) = (options.database.as_str().into(), options.timeout);
        tokio::spawn(Session::new(options, Arc::clone(&shared), receiver).run());
        Self { shared, commands, database, timeout }
    }

    /// The replica; `None` until it was loaded for the first time. While there is no connection it
    /// stays what it was last.
    #[must_use]
    pub fn read(&self) -> Option<ReadGuard<'_>> {
        if !self.shared.loaded.load(Ordering::Acquire) {
            return None;
        }
        // A panic amid a change leaves a replica that nobody may read.
        let alone = Alone::reading(&self.shared);
        self.shared.replica.read().ok().map(|replica| ReadGuard { replica, _alone: alone })
    }

    /// How it is doing, and news of it.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status.subscribe()
    }

    /// Waits until the replica is loaded and in step.
    pub async fn connected(&self) {
        // The sender is in `self`, so it cannot be gone.
        let _ = self.status().wait_for(|status| status.connected).await;
    }

    /// What changes from here on, one slice for each update, after the replica shows it. Whoever
    /// lags, or sees a new [`Status::generation`], compares everything.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Arc<[Change]>> {
        self.shared.changes.subscribe()
    }

    /// Sends a transaction and waits for its outcome, one per operation. When it returns, the
    /// replica shows the transaction's own changes as far as they are followed.
    ///
    /// # Errors
    /// [`TransactError`]; after `Unknown` it may have happened.
    pub async fn transact(&self, transaction: &Transaction) -> Result<Vec<Outcome>, TransactError> {
        let (reply, outcome) = oneshot::channel();
        let command = Command::Transact { params: transaction.params(&self.database), reply };
        self.commands.send(command).map_err(|_| TransactError::Disconnected)?;
        match tokio::time::timeout(self.timeout, outcome).await {
            Ok(Ok(answer)) => transaction.outcomes(&answer?),
            Ok(Err(_)) | Err(_) => Err(TransactError::Unknown),
        }
    }

    /// Asks for a lock, and waits in line for it; over reconnections too. Its name is an
    /// identifier, `[A-Za-z_][A-Za-z0-9_]*`; a server never grants any other.
    #[must_use]
    pub fn lock(&self, name: &str) -> Lock {
        self.shared.locks.want(name, false, &self.commands)
    }

    /// Takes a lock from whoever holds it. After a reconnection it is asked for in line.
    #[must_use]
    pub fn steal(&self, name: &str) -> Lock {
        self.shared.locks.want(name, true, &self.commands)
    }

    /// Ends the connection and waits until it is.
    pub async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(reply)).is_ok() {
            let _ = stopped.await;
        }
    }
}
