//! From OVN to what is stored: status of ports, bindings that can be made now, where shared
//! addresses are. Whatever happens in Southbound is a hint to compare, and from time to time
//! everything is compared, so nothing depends on an event. Every process compares each hint,
//! because only so the last one to look has seen the last that happened; but the holder of a lock
//! does it first, and leaves nothing to do for the others.

mod arrival;
mod delayed;
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
use wire::fault::{Error, Result};
use wire::types::Id;

use crate::bind::Ovn;
use crate::sb;
use arrival::Arrivals;
use delayed::Delayed;
use todo::Todo;

/// The lock.
const LOCK: &str = "nucleon_watch";
/// Between two comparisons of everything.
const LOOK: Duration = Duration::from_secs(120);
/// How long those who do not hold the lock leave what they see to the one that does.
const LAG: Duration = Duration::from_secs(1);
/// After which what failed is tried again; twice as long each time that it fails again.
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
        let (mut todo, mut later, mut failed) =
            (Todo::default(), Delayed::default(), Delayed::default());
        let (mut look_at, mut pause) = (Instant::now() + LOOK, AGAIN);
        loop {
            tokio::select! {
                slice = changes.recv() => match slice {
                    Ok(slice) => {
                        later.add(LAG, |todo| todo.changed(&self.sb, &self.arrivals, &slice));
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
                () = later.ripe() => {}
                () = failed.ripe() => {}
                () = tokio::time::sleep_until(look_at) => {
                    todo.everything |= *held.borrow();
                    look_at = Instant::now() + LOOK;
                }
            }
            let lost_commits = drained(&mut commits, |committed: Committed| {
                todo.committed(&self.ovn, &self.sb, &committed.marks);
            });
            let lost_changes = drained(&mut changes, |slice: Arc<[Change]>| {
                later.add(LAG, |todo| todo.changed(&self.sb, &self.arrivals, &slice));
            });
            todo.everything |= lost_commits || lost_changes;
            todo.join(if *held.borrow() { later.take() } else { later.take_ripe() });
            let again = failed.take_ripe();
            let is_again = !again.is_empty();
            todo.join(again);
            // What is old must not be compared with what is new.
            if status.borrow().connected {
                let left = self.work(std::mem::take(&mut todo)).await;
                if is_again {
                    pause = if left.is_empty() { AGAIN } else { (pause * 2).min(LOOK) };
                }
                if !left.is_empty() {
                    failed.add(pause, |todo| todo.join(left));
                }
            }
        }
    }

    /// Does what is to do; what of it failed.
    async fn work(&self, mut todo: Todo) -> Todo {
        let mut left = Todo::default();
        if todo.everything {
            self.complete().await;
            match self.all_differing().await {
                Ok(ports) => todo.ports.extend(ports),
                Err(error) => {
                    tracing::warn!("Southbound cannot be compared with what is stored: {error}");
                    left.everything = true;
                }
            }
        }
        let ports: Vec<Id> = todo.ports.into_iter().collect();
        match self.differing(&ports).await {
            Ok(differing) => {
                for batch in differing.chunks(BATCH) {
                    left.ports.extend(self.settle(batch).await);
                }
            }
            Err(error) => {
                tracing::warn!(ports = ports.len(), "ports could not be compared: {error}");
                left.ports.extend(ports);
            }
        }
        let hosts: Vec<String> = todo.hosts.into_iter().collect();
        let refused: Vec<Id> = todo.refused.into_iter().collect();
        let of_hosts = (!todo.everything).then_some(&*hosts);
        match self.bind(of_hosts, &refused).await {
            Ok(unbound) => left.refused.extend(unbound),
            Err(error) => {
                tracing::warn!(?of_hosts, "bindings could not be tried again: {error}");
                left.everything |= todo.everything;
                left.hosts.extend(hosts);
                left.refused.extend(refused);
            }
        }
        if let Err(error) = self.arrivals.advance().await {
            tracing::warn!("hosts that machines move to could not be asked: {error}");
            left.arrivals = true;
        }
        left
    }

    fn call<'a>(&'a self, tx: &'a Tx, ctx: &'a Ctx) -> Call<'a> {
        Call { tx, ctx, settings: &self.settings, backend: &self.ovn, counted: None }
    }

    /// Those of all ports that are not as Southbound shows them.
    async fn all_differing(&self) -> Result<Vec<Id>> {
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
            let gone = |id: &&Id| stored.iter().all(|port| port.id != **id);
            piece.iter().filter(gone).for_each(|id| self.arrivals.forget(*id));
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

    /// Makes ports as Southbound shows them; those that could not be.
    async fn settle(&self, ports: &[Id]) -> Vec<Id> {
        if ports.len() > 1 && self.settle_all(ports).await.is_ok() {
            return Vec::new();
        }
        // One that cannot be stored must not keep the others from it.
        let mut failed = Vec::new();
        for (place, port) in ports.iter().enumerate() {
            let Err(error) = self.settle_all(std::slice::from_ref(port)).await else { continue };
            tracing::warn!(%port, "the port's status could not be stored: {error}");
            if is_away(&error) {
                failed.extend(ports.iter().skip(place));
                break;
            }
            failed.push(*port);
        }
        failed
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

    /// Tries failed bindings to these hosts again, `None`: to all; and those of these ports. The
    /// ports with which something went wrong.
    async fn bind(&self, hosts: Option<&[String]>, ports: &[Id]) -> Result<Vec<Id>> {
        let mut left = Vec::new();
        if hosts.is_some_and(<[String]>::is_empty) && ports.is_empty() {
            return Ok(left);
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
                Err(error) => {
                    tracing::warn!(%port, "the port could not be bound: {error}");
                    left.push(port);
                }
            }
        }
        Ok(left)
    }

    /// Makes the metadata ports that lack: of networks from before there were any. Those that
    /// cannot be made are tried again with the next comparison of everything.
    async fn complete(&self) {
        let ctx = &Ctx::system(Timestamp::now());
        let mut last = String::new();
        loop {
            let after = &last;
            let look =
                |tx| async move { metadata::lacking(&self.call(&tx, ctx), after, BATCH).await };
            let lacking = match self.db.read(ctx, look).await {
                Ok(lacking) => lacking,
                Err(error) => {
                    return tracing::warn!("networks without metadata cannot be found: {error}");
                }
            };
            let Some(end) = lacking.last() else { return };
            last = end.to_string();
            for network in lacking {
                let make =
                    |tx| async move { metadata::complete(&self.call(&tx, ctx), network).await };
                if let Err(error) = self.db.write(ctx, make).await {
                    tracing::warn!(%network, "the network has no metadata port: {error}");
                    if is_away(&error) {
                        return;
                    }
                }
            }
        }
    }
}

/// True where nothing else would be stored either.
fn is_away(error: &Error) -> bool {
    matches!(error, Error::Fault(fault) if fault.status == 503)
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
