//! Ports whose machines are on their way to another host. Their device is there before they are,
//! and the hypervisor waits until it is connected: when the new host has come to a configuration
//! that is younger than what it has claimed, the flows of the device are installed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::port::status::Stored;
use ovsdb::error::TransactError;
use ovsdb::replica::Replica;
use wire::types::Id;

use crate::liveness::Liveness;
use crate::sb::{self, Place};

/// The ports that are waited for.
pub struct Arrivals {
    liveness: Liveness,
    known: Mutex<BTreeMap<Id, Arrival>>,
}

struct Arrival {
    /// The chassis that has claimed it.
    chassis: String,
    /// What the chassis has to come to; `None`: no configuration is young enough yet.
    nb_cfg: Option<i64>,
}

impl Arrivals {
    /// None yet.
    pub fn new(liveness: Liveness) -> Self {
        Self { liveness, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Id, Arrival>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that is ready for a port, if it is on its way and the host is.
    pub fn ready(&self, sb: &Replica, port: &Stored, place: &Place) -> Option<String> {
        let mut known = self.known();
        let to = port.migrating_to.as_ref();
        let next = to.and_then(|to| place.next.iter().find(|next| next.hostname == *to));
        let Some((next, (chassis, reporter))) =
            next.and_then(|next| Some((next, sb::named(sb, &next.name)?)))
        else {
            known.remove(&port.id);
            return None;
        };
        // PARITY: only hosts with the kernel's switch are waited for.
        if chassis.datapath_type() != "system" {
            return Some(next.hostname.clone());
        }
        match known.get(&port.id).filter(|arrival| arrival.chassis == next.name) {
            Some(Arrival { nb_cfg: Some(nb_cfg), .. }) if reporter.nb_cfg() >= *nb_cfg => {
                Some(next.hostname.clone())
            }
            Some(_) => None,
            None => {
                known.insert(port.id, Arrival { chassis: next.name.clone(), nb_cfg: None });
                None
            }
        }
    }

    /// The port is gone.
    pub fn forget(&self, port_id: Id) {
        self.known().remove(&port_id);
    }

    /// The ports that this chassis is waited for with.
    pub fn at(&self, chassis: &str) -> Vec<Id> {
        let known = self.known();
        let there = known.iter().filter(|(_, arrival)| arrival.chassis == chassis);
        there.map(|(id, _)| *id).collect()
    }

    /// Raises the number of the configuration if a port needs a younger one.
    ///
    /// # Errors
    /// Northbound did not take it.
    pub async fn advance(&self) -> Result<(), TransactError> {
        let needs = |arrival: &Arrival| arrival.nb_cfg.is_none();
        let waiting: Vec<Id> =
            self.known().iter().filter(|(_, one)| needs(one)).map(|(id, _)| *id).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let nb_cfg = self.liveness.advance().await?;
        let mut known = self.known();
        for id in waiting {
            if let Some(arrival) = known.get_mut(&id).filter(|arrival| needs(arrival)) {
                arrival.nb_cfg = Some(nb_cfg);
            }
        }
        Ok(())
    }
}
