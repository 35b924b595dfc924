//! What rendering knows, kept up with Southbound: nothing until Southbound was read once, and
//! something new only when it differs.

use std::sync::Arc;

use model::settings::Settings;
use ovsdb::client::Client;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use crate::facts::{Facts, Options};
use crate::sb;

/// What is known now, and a future that keeps it up for as long as it is polled.
pub fn follow(
    sb: Client,
    settings: Arc<Settings>,
    options: Arc<Options>,
) -> (watch::Receiver<Option<Arc<Facts>>>, impl Future<Output = ()> + Send) {
    let (sender, receiver) = watch::channel(None);
    let keep_up = async move {
        let (mut changes, mut status) = (sb.changes(), sb.status());
        loop {
            let chassis = sb.read().map(|replica| sb::facts(&replica));
            if let Some(chassis) = chassis {
                sender.send_if_modified(|known: &mut Option<Arc<Facts>>| {
                    let is_new = known.as_ref().is_none_or(|known| known.chassis != chassis);
                    if is_new {
                        let (settings, options) = (Arc::clone(&settings), Arc::clone(&options));
                        *known = Some(Arc::new(Facts { settings, options, chassis }));
                    }
                    is_new
                });
            }
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
    };
    (receiver, keep_up)
}
