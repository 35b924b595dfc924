//! Locks (RFC 7047 §4.1.8): each name has a queue of sessions; the first holds it.

use std::collections::BTreeMap;

use super::session::SessionId;

/// All locks.
#[derive(Debug, Default)]
pub(super) struct Locks(BTreeMap<String, Vec<SessionId>>);

impl Locks {
    /// The session is in the queue.
    pub fn asked(&self, name: &str, session: SessionId) -> bool {
        self.0.get(name).is_some_and(|queue| queue.contains(&session))
    }

    /// The session holds the lock.
    pub fn holds(&self, name: &str, session: SessionId) -> bool {
        self.0.get(name).and_then(|queue| queue.first()) == Some(&session)
    }

    /// Joins the queue; `true`: it holds the lock.
    pub fn lock(&mut self, name: &str, session: SessionId) -> bool {
        let queue = self.0.entry(name.to_owned()).or_default();
        queue.push(session);
        queue.len() == 1
    }

    /// Takes the lock; who had it is given, and waits for it from now on.
    pub fn steal(&mut self, name: &str, session: SessionId) -> Option<SessionId> {
        let queue = self.0.entry(name.to_owned()).or_default();
        let victim = queue.first().copied();
        queue.insert(0, session);
        victim
    }

    /// Leaves the queue; who holds the lock now although it did not before.
    pub fn unlock(&mut self, name: &str, session: SessionId) -> Option<SessionId> {
        let queue = self.0.get_mut(name)?;
        let held = queue.first() == Some(&session);
        queue.retain(|other| *other != session);
        let next = queue.first().copied();
        if next.is_none() {
            self.0.remove(name);
        }
        next.filter(|_| held)
    }

    /// Leaves every queue; the locks that others hold now.
    pub fn leave(&mut self, session: SessionId) -> Vec<(String, SessionId)> {
        let names: Vec<String> = self
            .0
            .iter()
            .filter(|(_, queue)| queue.contains(&session))
            .map(|(name, _)| name.clone())
            .collect();
        names
            .into_iter()
            .filter_map(|name| self.unlock(&name, session).map(|next| (name, next)))
            .collect()
    }
}
