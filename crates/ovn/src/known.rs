//! What rendering knows, kept up with Southbound: nothing until Southbound was read once, and
//! something new only when it differs.

use std::sync::Arc;

use model::settings::Settings;
use ovsdb::client::Client;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::facts::{Facts, Options};
use crate::sb;

/// What rendering knows.
pub struct Known {
    sb: Client,
    settings: Arc<Settings>,
    options: Arc<Options>,
    facts: watch::Sender<Option<Arc<Facts>>>,
}

impl Known {
    /// These choices, and what this Southbound will show.
    #[must_use]
    pub fn new(sb: Client, settings: Arc<Settings>, options: Arc<Options>) -> Self {
        Self { sb, settings, options, facts: watch::Sender::new(None) }
    }

    /// What is known, and news of it.
    #[must_use]
    pub fn facts(&self) -> watch::Receiver<Option<Arc<Facts>>> {
        self.facts.subscribe()
    }

    /// Keeps it up for as long as it is polled.
    pub async fn keep_up(&self) {
        let (mut changes, mut status) = (self.sb.changes(), self.sb.status());
        loop {
            self.look();
            // Ports come and go all the time, chassis seldom.
            loop {
                tokio::select! {
                    slice = changes.recv() => match slice {
                        Ok(slice) if slice.iter().all(|change| change.table != sb::CHASSIS) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return,
                    },
                    changed = status.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                }
            }
        }
    }

    fn look(&self) {
        let Some(chassis) = self.sb.read().map(|replica| sb::facts(&replica)) else { return };
        self.facts.send_if_modified(|known: &mut Option<Arc<Facts>>| {
            let is_new = known.as_ref().is_none_or(|known| known.chassis != chassis);
            if is_new {
                let (settings, options) = (Arc::clone(&self.settings), Arc::clone(&self.options));
                *known = Some(Arc::new(Facts { settings, options, chassis }));
            }
            is_new
        });
    }
}
