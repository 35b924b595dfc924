//! What has to be compared, gathered from hints: changes in Southbound, and commits.

use std::collections::BTreeSet;

use model::unit::Unit;
use ovsdb::client::Client;
use ovsdb::replica::Change;
use ovsdb::row::Row;
use ovsdb::value::Atom;
use sql::Mark;
use wire::types::Id;

use super::arrival::Arrivals;
use crate::bind::Ovn;
use crate::sb::{self, Chassis};

/// Who reports within this time was never taken for dead: half of the shortest time that makes
/// sense for `agent_down_time`.
const SHORT_MS: i64 = 5_000;

/// What has to be compared.
#[derive(Debug, Default)]
pub struct Todo {
    /// All there is.
    pub everything: bool,
    /// These ports.
    pub ports: BTreeSet<Id>,
    /// Bindings to these hosts that failed.
    pub hosts: BTreeSet<String>,
    /// Ports whose binding failed a moment ago.
    pub refused: BTreeSet<Id>,
    /// Hosts that machines are on their way to have to be asked.
    pub arrivals: bool,
}

impl Todo {
    /// Nothing.
    pub fn is_empty(&self) -> bool {
        let nothing = self.ports.is_empty() && self.hosts.is_empty() && self.refused.is_empty();
        nothing && !self.everything && !self.arrivals
    }

    /// Takes over what another one has.
    pub fn join(&mut self, mut other: Self) {
        self.everything |= other.everything;
        self.arrivals |= other.arrivals;
        self.ports.append(&mut other.ports);
        self.hosts.append(&mut other.hosts);
        self.refused.append(&mut other.refused);
    }

    /// Takes a hint of Southbound.
    pub fn changed(&mut self, sb: &Client, arrivals: &Arrivals, changes: &[Change]) {
        for change in changes {
            match change.table {
                sb::PORT_BINDING => {
                    let rows = change.old.iter().chain(&change.new);
                    self.ports.extend(rows.filter_map(|row| sb::port_of(row)));
                }
                sb::CHASSIS => {
                    let host = change.new.as_deref().map(|row| Chassis::of(row).hostname());
                    self.hosts.extend(host.map(str::to_owned));
                }
                sb::CHASSIS_PRIVATE => self.reported(sb, arrivals, change),
                _ => {}
            }
        }
    }

    /// A host reports: one that was not alive may be now, and one that has come to a configuration
    /// may be ready for ports that are on their way to it.
    fn reported(&mut self, sb: &Client, arrivals: &Arrivals, change: &Change) {
        let Some(new) = change.new.as_deref() else { return };
        let Some(name) = new.text("name") else { return };
        self.ports.extend(arrivals.at(name));
        if change.old.as_deref().is_some_and(|old| is_more_of_the_same(old, new)) {
            return;
        }
        let Some(replica) = sb.read() else { return };
        let host = sb::named(&replica, name).map(|(chassis, _)| chassis.hostname().to_owned());
        self.hosts.extend(host);
    }

    /// Takes a hint of a commit: ports that OVN has up may have become ACTIVE by it, and those that
    /// were refused may be let in.
    pub fn committed(&mut self, ovn: &Ovn, sb: &Client, marks: &[Mark]) {
        let ports = marks.iter().filter(|mark| mark.kind == Unit::Port as i16);
        let ports: Vec<Id> = ports.map(|mark| mark.id).collect();
        if ports.is_empty() {
            return;
        }
        let refused = ovn.refused();
        self.refused.extend(ports.iter().filter(|id| refused.take(**id)));
        let Some(replica) = sb.read() else { return };
        let is_up = |id: &&Id| sb::place(&replica, **id).is_some_and(|place| place.is_up);
        self.ports.extend(ports.iter().filter(is_up));
    }
}

/// True where a host that was alive goes on reporting, as it does all the time.
fn is_more_of_the_same(old: &Row, new: &Row) -> bool {
    let at = |row: &Row| row.get("nb_cfg_timestamp").as_one().and_then(Atom::as_integer);
    let pause = at(new).unwrap_or(0) - at(old).unwrap_or(0);
    old.get("chassis") == new.get("chassis") && pause < SHORT_MS
}
