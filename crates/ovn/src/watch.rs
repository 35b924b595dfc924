//! From OVN to what is stored: status of ports, bindings that can be made now, where shared
//! addresses are. Whatever happens in Southbound is a hint to compare, and from time to time
//! everything is compared, so nothing depends on an event. Every process compares each hint,
//! because only so the last one to look has seen the last that happened; but the holder of a lock
//! does it first, and leaves nothing to do for the others.

mod arrival;
mod todo;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::binding::{deferred, parent};
use model::kind::Call;
use model::port::metadata;
use model::port::status::{self, Sighting, Stored};
use model::settings::Settings;
use ovsdb::client::Client;
use ovsdb::replica::Change;
use sql::{Committed, Db, Tx};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;
use wire::ctx::Ctx;
use wire::fault::Result;
use wire::types::Id;

use crate::bind::Ovn;
use crate::sb;
use arrival::Arrivals;
use todo::Todo;

/// The lock.
const LOCK: &str = "nucleon_watch";
/// Between two comparisons of everything.
const LOOK: Duration = Duration::from_secs(120);
/// How long those who do not hold the lock leave what they see to the one that does.
const LAG: Duration = Duration::from_secs(1);
/// After which what failed is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Ports that are read at once.
const PIECE: usize = 500;
/// Ports that are changed at once.
const BATCH: usize = 25;

/// Follows Southbound.
pub struct Watch {
    db: Db,
    settings: Arc<Settings>,
    ovn: Ovn,
    sb: Client,
    arrivals: Arrivals,
}

impl Watch {
    /// Follows what `ovn` shows.
    #[must_use]
    pub fn new(db: Db, settings: Arc<Settings>, ovn: Ovn) -> Self {
        let sb = ovn.southbound();
        let arrivals = Arrivals::new(ovn.liveness());
        Self { db, settings, ovn, sb, arrivals }
    }

    /// Follows until it is dropped. It may be stopped anywhere.
    pub async fn run(self) {
        let lock = self.sb.lock(LOCK);
        let mut held = lock.held();
        let mut status = self.sb.status();
        // Whatever is so already counts as news.
        status.mark_changed();
        let mut changes = self.sb.changes();
        let mut commits = self.db.marks();
        let (mut todo, mut later) = (Todo::default(), Todo::default());
        let (mut look_at, mut later_at) = (Instant::now() + LOOK, Instant::now());
        loop {
            tokio::select! {
                slice = changes.recv() => match slice {
                    Ok(slice) => {
                        if later.is_empty() {
                            later_at = Instant::now() + LAG;
                        }
                        later.changed(&self.sb, &self.arrivals, &slice);
                    }
                    Err(RecvError::Lagged(_)) => todo.everything = true,
                    Err(RecvError::Closed) => return std::future::pending().await,
                },
                committed = commits.recv() => match committed {
                    Ok(committed) => todo.committed(&self.ovn, &self.sb, &committed.marks),
                    Err(RecvError::Lagged(_)) => todo.everything = true,
                    Err(RecvError::Closed) => return std::future::pending().await,
                },
                // It was loaded anew, or somebody else's duty is ours now.
                Ok(()) = status.changed() => todo.everything = true,
                Ok(()) = held.changed() => todo.everything |= *held.borrow_and_update(),
                () = tokio::time::sleep_until(later_at), if !later.is_empty() => {}
                () = tokio::time::sleep_until(look_at) => {
                    todo.everything |= *held.borrow();
                    look_at = Instant::now() + LOOK;
                }
            }
            let lost_commits = drained(&mut commits, |committed: Committed| {
                todo.committed(&self.ovn, &self.sb, &committed.marks);
            });
            let lost_changes = drained(&mut changes, |slice: Arc<[Change]>| {
                later.changed(&self.sb, &self.arrivals, &slice);
            });
            todo.everything |= lost_commits || lost_changes;
            if *held.borrow() || later_at <= Instant::now() {
                todo.join(std::mem::take(&mut later));
            }
            // What is old must not be compared with what is new.
            if status.borrow().connected && !self.work(&mut todo).await {
                later.join(std::mem::take(&mut todo));
                later_at = Instant::now() + AGAIN;
            }
        }
    }

    /// Does what is to do; false where something is left that failed.
    async fn work(&self, todo: &mut Todo) -> bool {
        if todo.everything {
            match self.everything().await {
                Ok(ports) => {
                    todo.everything = false;
                    todo.ports.extend(ports);
                }
                Err(error) => {
                    tracing::warn!("Southbound could not be compared with what is stored: {error}");
                    return false;
                }
            }
        }
        let ports: Vec<Id> = std::mem::take(&mut todo.ports).into_iter().collect();
        let hosts: Vec<String> = std::mem::take(&mut todo.hosts).into_iter().collect();
        let mut is_done = true;
        match self.differing(&ports).await {
            Ok(differing) => {
                for batch in differing.chunks(BATCH) {
                    is_done &= self.settle(batch).await;
                }
            }
            Err(error) => {
                tracing::warn!(ports = ports.len(), "ports could not be compared: {error}");
                todo.ports.extend(ports);
                is_done = false;
            }
        }
        let refused: Vec<Id> = std::mem::take(&mut todo.refused).into_iter().collect();
        if let Err(error) = self.bind(Some(&hosts), &refused).await {
            tracing::warn!(?hosts, "bindings could not be tried again: {error}");
            todo.hosts.extend(hosts);
            todo.refused.extend(refused);
            is_done = false;
        }
        if let Err(error) = self.arrivals.advance().await {
            tracing::warn!("hosts that machines move to could not be asked: {error}");
            is_done = false;
        }
        is_done && todo.is_empty()
    }

    fn call<'a>(&'a self, tx: &'a Tx, ctx: &'a Ctx) -> Call<'a> {
        Call { tx, ctx, settings: &self.settings, backend: &self.ovn }
    }

    /// Binds what can be bound, makes what lacks, and finds the ports that differ.
    async fn everything(&self) -> Result<Vec<Id>> {
        self.complete().await?;
        self.bind(None, &[]).await?;
        let ctx = &Ctx::system(Timestamp::now());
        let mut differing = Vec::new();
        let mut last = String::new();
        loop {
            let after = &last;
            let read = |tx| async move { status::after(&tx, after, PIECE).await };
            let piece = self.db.read(ctx, read).await?;
            let Some(end) = piece.last() else { return Ok(differing) };
            last = end.id.to_string();
            differing.extend(piece.iter().filter(|port| self.differs(port)).map(|port| port.id));
        }
    }

    /// Those of these ports that are not as Southbound shows them.
    async fn differing(&self, ports: &[Id]) -> Result<Vec<Id>> {
        let ctx = &Ctx::system(Timestamp::now());
        let mut differing = Vec::new();
        for piece in ports.chunks(PIECE) {
            let read = |tx| async move { status::stored(&tx, piece).await };
            let stored = self.db.read(ctx, read).await?;
            differing.extend(stored.iter().filter(|port| self.differs(port)).map(|port| port.id));
        }
        Ok(differing)
    }

    fn differs(&self, port: &Stored) -> bool {
        let parent = self.parent_of(port);
        port.wanted(&self.see(port)) != port.status || parent.is_some_and(|is| !is_same(&is, port))
    }

    /// What Southbound shows of a port now.
    fn see(&self, port: &Stored) -> Sighting {
        let Some(sb) = self.sb.read() else { return Sighting::default() };
        let Some(place) = sb::place(&sb, port.id) else { return Sighting::default() };
        let ready = self.arrivals.ready(&sb, port, &place);
        Sighting {
            is_up: place.is_up,
            on: place.chassis.map(|one| vec![one.name, one.hostname]).unwrap_or_default(),
            ready: ready.into_iter().collect(),
            // Other cards get their device with the machine.
            is_awaited: port.vif_type == "ovs" && self.ovn.binding().creates_tap,
        }
    }

    /// Where the shared address of a port is used, `""`: nowhere; `None`: it has none.
    fn parent_of(&self, port: &Stored) -> Option<String> {
        let sb = self.sb.read()?;
        let place = sb::place(&sb, port.id).filter(|place| place.is_virtual);
        match place {
            Some(place) => Some(place.chassis.map(|one| one.hostname).unwrap_or_default()),
            None => port.parent_hostname.as_ref().map(|_| String::new()),
        }
    }

    /// Makes ports as Southbound shows them; false where one could not be.
    async fn settle(&self, ports: &[Id]) -> bool {
        let Err(error) = self.settle_all(ports).await else { return true };
        if let [port] = ports {
            tracing::warn!(%port, "the port's status could not be stored: {error}");
            return false;
        }
        // One that cannot be stored must not keep the others from it.
        let mut is_done = true;
        for port in ports {
            if let Err(error) = self.settle_all(std::slice::from_ref(port)).await {
                tracing::warn!(%port, "the port's status could not be stored: {error}");
                is_done = false;
            }
        }
        is_done
    }

    async fn settle_all(&self, ports: &[Id]) -> Result<()> {
        let ctx = &Ctx::system(Timestamp::now());
        let act = |tx| async move {
            let call = self.call(&tx, ctx);
            for id in ports {
                if let Some(hostname) = self.parent_now(&call, *id).await? {
                    parent::set(&call, *id, &hostname).await?;
                }
                status::compare(&call, *id, |port| self.see(port)).await?;
            }
            Ok(())
        };
        self.db.write(ctx, act).await
    }

    async fn parent_now(&self, call: &Call<'_>, port_id: Id) -> Result<Option<String>> {
        let stored = status::stored(call.tx, &[port_id]).await?;
        let differs = |port: &Stored| self.parent_of(port).filter(|is| !is_same(is, port));
        Ok(stored.first().and_then(differs))
    }

    /// Tries failed bindings to these hosts again, `None`: to all; and those of these ports.
    async fn bind(&self, hosts: Option<&[String]>, ports: &[Id]) -> Result<()> {
        if hosts.is_some_and(<[String]>::is_empty) && ports.is_empty() {
            return Ok(());
        }
        let ctx = &Ctx::system(Timestamp::now());
        let look = |tx| async move {
            let mut failed = deferred::failed(&tx, hosts).await?;
            failed.extend(ports);
            deferred::possible(&self.call(&tx, ctx), &failed).await
        };
        let possible = self.db.read(ctx, look).await?;
        for port in possible {
            let retry = |tx| async move { deferred::retry(&self.call(&tx, ctx), port).await };
            match self.db.write(ctx, retry).await {
                Ok(true) => tracing::info!(%port, "the port is bound now"),
                Ok(false) => {}
                Err(error) => tracing::warn!(%port, "the port could not be bound: {error}"),
            }
        }
        Ok(())
    }

    /// Makes the metadata ports that lack: of networks from before there were any.
    async fn complete(&self) -> Result<()> {
        let ctx = &Ctx::system(Timestamp::now());
        loop {
            let look = |tx| async move { metadata::lacking(&self.call(&tx, ctx), BATCH).await };
            let lacking = self.db.read(ctx, look).await?;
            if lacking.is_empty() {
                return Ok(());
            }
            for network in lacking {
                let make =
                    |tx| async move { metadata::complete(&self.call(&tx, ctx), network).await };
                self.db.write(ctx, make).await?;
            }
        }
    }
}

/// Takes all that has come; whether some of it was lost, because more came than is kept.
fn drained<T: Clone>(receiver: &mut Receiver<T>, mut take: impl FnMut(T)) -> bool {
    let mut has_lost = false;
    loop {
        match receiver.try_recv() {
            Ok(one) => take(one),
            Err(TryRecvError::Lagged(_)) => has_lost = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return has_lost,
        }
    }
}

fn is_same(hostname: &str, port: &Stored) -> bool {
    port.parent_hostname.as_deref() == Some(hostname)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    #[test]
    fn what_was_lost_among_what_has_come_is_told_and_the_rest_taken() {
        let (sender, mut receiver) = broadcast::channel(2);
        let mut drain = |numbers: &[u8]| {
            numbers.iter().for_each(|number| drop(sender.send(*number)));
            let mut taken = Vec::new();
            let has_lost = drained(&mut receiver, |number| taken.push(number));
            (has_lost, taken)
        };
        assert_eq!(drain(&[1, 2]), (false, vec![1, 2]));
        assert_eq!(drain(&[3, 4, 5, 6]), (true, vec![5, 6]));
        assert_eq!(drain(&[]), (false, vec![]));
    }
}
