//! Locks (RFC 7047 §4.1.8): of all clients that ask for a name one holds it, and the next gets it
//! when that one lets go or goes away. Not here: the requests themselves (`session`).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::session::{Command, Commands};

/// A lock that is asked for until this is dropped. It is not held while the connection is away.
pub struct Lock {
    name: String,
    held: watch::Receiver<bool>,
    locks: Arc<Locks>,
    commands: Commands,
}

/// The locks that this client asks for, by name.
#[derive(Default)]
pub(crate) struct Locks {
    wanted: Mutex<HashMap<String, Wanted>>,
}

struct Wanted {
    users: usize,
    /// The next request takes it from whoever holds it.
    steal: bool,
    held: watch::Sender<bool>,
}

impl Lock {
    /// Whether it is held, and news of it. `true` is as fresh as the last message of the server;
    /// what must not happen without the lock says so in its transaction
    /// ([`Transaction::assert_lock`](crate::transaction::Transaction::assert_lock)).
    #[must_use]
    pub fn held(&self) -> watch::Receiver<bool> {
        self.held.clone()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut wanted = self.locks.wanted();
        let Some(entry) = wanted.get_mut(&self.name) else { return };
        entry.users -= 1;
        if entry.users == 0 {
            wanted.remove(&self.name);
            // Without a session nothing is locked.
            let _ = self.commands.send(Command::Unlock(self.name.clone()));
        }
    }
}

impl Locks {
    /// One more who asks for this name.
    pub fn want(self: &Arc<Self>, name: &str, steal: bool, commands: &Commands) -> Lock {
        let mut wanted = self.wanted();
        let entry = wanted.entry(name.to_owned()).or_insert_with(|| Wanted {
            users: 0,
            steal: false,
            held: watch::Sender::new(false),
        });
        entry.users += 1;
        entry.steal |= steal;
        if steal || entry.users == 1 {
            // The order of commands is that of changes here, since the map is still borrowed.
            let _ = commands.send(Command::Lock(name.to_owned()));
        }
        Lock {
            name: name.to_owned(),
            held: entry.held.subscribe(),
            locks: Arc::clone(self),
            commands: commands.clone(),
        }
    }

    /// Names that somebody asks for.
    pub fn names(&self) -> Vec<String> {
        self.wanted().keys().cloned().collect()
    }

    /// The name is being requested; whether to steal it, `None` when nobody wants it any more.
    pub fn asked(&self, name: &str) -> Option<bool> {
        self.wanted().get_mut(name).map(|entry| std::mem::take(&mut entry.steal))
    }

    /// Tells those who ask for a name whether it is held.
    pub fn tell(&self, name: &str, held: bool) {
        if let Some(entry) = self.wanted().get(name) {
            entry.held.send_if_modified(|before| std::mem::replace(before, held) != held);
        }
    }

    /// Nothing is held any more.
    pub fn tell_all_lost(&self) {
        for entry in self.wanted().values() {
            entry.held.send_if_modified(|before| std::mem::replace(before, false));
        }
    }

    fn wanted(&self) -> MutexGuard<'_, HashMap<String, Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was requested over one connection.
#[derive(Default)]
pub(crate) struct LockRequests {
    /// Requests without a reply yet.
    open: HashMap<u64, String>,
    requested: HashSet<String>,
}

impl LockRequests {
    pub fn knows(&self, name: &str) -> bool {
        self.requested.contains(name)
    }

    pub fn asked(&mut self, id: u64, name: &str) {
        self.open.insert(id, name.to_owned());
        self.requested.insert(name.to_owned());
    }

    /// It is let go; `false`: it was not requested.
    pub fn forget(&mut self, name: &str) -> bool {
        self.open.retain(|_, asked| asked != name);
        self.requested.remove(name)
    }

    /// The name whose latest request this reply answers.
    pub fn answered(&mut self, id: u64) -> Option<String> {
        let name = self.open.remove(&id)?;
        self.is_settled(&name).then_some(name)
    }

    /// No request for this name is without its reply.
    pub fn is_settled(&self, name: &str) -> bool {
        self.knows(name) && !self.open.values().any(|asked| asked == name)
    }
}
