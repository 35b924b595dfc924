//! Hints that are not followed at once: what is left to another server first, and what failed.

use std::time::Duration;

use tokio::time::Instant;

use super::todo::Todo;

/// Hints that are followed later, all at one time.
pub struct Delayed {
    todo: Todo,
    at: Instant,
}

impl Default for Delayed {
    fn default() -> Self {
        Self { todo: Todo::default(), at: Instant::now() }
    }
}

impl Delayed {
    /// Adds some; the first ones wait for so long, and the others with them.
    pub fn add(&mut self, pause: Duration, add: impl FnOnce(&mut Todo)) {
        if self.todo.is_empty() {
            self.at = Instant::now() + pause;
        }
        add(&mut self.todo);
    }

    /// Ends when there are some whose time has come.
    pub async fn ripe(&self) {
        if self.todo.is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep_until(self.at).await;
    }

    /// Takes all.
    pub fn take(&mut self) -> Todo {
        std::mem::take(&mut self.todo)
    }

    /// Takes those whose time has come.
    pub fn take_ripe(&mut self) -> Todo {
        if self.at <= Instant::now() { self.take() } else { Todo::default() }
    }
}
