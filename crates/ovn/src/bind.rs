//! `model::backend::Backend` over OVN: which chassis takes a port and how it is plugged in there,
//! exactly as Neutron's OVN driver says it; agents and availability zones. Answered from the
//! replicas. Only what changes an agent waits for Southbound.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use model::backend::{Agent, Backend, Plug, PlugAsk};
use model::binding::plug::FAILED;
use model::kind::Pending;
use model::snapshot::is_external;
use ovsdb::client::Client;
use ovsdb::replica::Replica;
use ovsdb::transaction::{Mutator, Transaction};
use ovsdb::value::Datum;
use serde_json::{Map, Value as Json, json};
use sql::Committed;
use uuid::Uuid;
use wire::fault::{self, Error};
use wire::types::Id;
use wire::types::words::VnicType;

use crate::agent::{self, Measure, Program};
use crate::liveness::Liveness;
use crate::reconcile::Settled;
use crate::sb::{self, Chassis};

/// The driver's name in a binding's levels.
const DRIVER: &str = "ovn";
/// Where guests' sockets are, if nothing else is said.
const SOCKETS: &str = "/var/run/openvswitch";
/// The name of the integration bridge of hosts that do not say theirs.
const BRIDGE: &str = "br-int";
/// A socket's name is also an interface's, so it is short.
const SOCKET_NAME_MAX: usize = 14;
/// Refused ports that are remembered at most.
const REFUSED_MAX: usize = 10_000;

/// What the operator chooses about binding; [`Binding::default`] has Neutron's defaults.
#[derive(Clone, Debug)]
pub struct Binding {
    /// `vhost_sock_dir`
    pub socket_directory: String,
    /// `ovs_create_tap`: hypervisors make the devices of guests before they start.
    pub creates_tap: bool,
    /// `agent_down_time`
    pub down_time: Duration,
}

impl Default for Binding {
    fn default() -> Self {
        Self {
            socket_directory: SOCKETS.into(),
            creates_tap: true,
            down_time: agent::AGENT_DOWN_TIME,
        }
    }
}

/// Ports that were refused and may not be stored as such yet: what would have let them in may come
/// between the answer and the commit.
#[derive(Clone, Default)]
pub struct Refused(Arc<Mutex<BTreeSet<Id>>>);

impl Refused {
    fn ports(&self) -> MutexGuard<'_, BTreeSet<Id>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, port_id: Id) {
        let mut ports = self.ports();
        // Requests that came to nothing leave some behind.
        if ports.len() >= REFUSED_MAX {
            ports.clear();
        }
        ports.insert(port_id);
    }

    /// Whether a port, of which something was committed, was refused before.
    #[must_use]
    pub fn take(&self, port_id: Id) -> bool {
        self.ports().remove(&port_id)
    }
}

/// OVN as the data plane; a clone is the same one.
#[derive(Clone)]
pub struct Ovn {
    sb: Client,
    liveness: Liveness,
    binding: Binding,
    settled: Option<Arc<Settled>>,
    refused: Refused,
}

impl Ovn {
    /// The data plane that Southbound shows.
    #[must_use]
    pub fn new(sb: Client, liveness: Liveness, binding: Binding) -> Self {
        Self { sb, liveness, binding, settled: None, refused: Refused::default() }
    }

    /// Requests wait for a moment until Northbound shows what they changed.
    #[must_use]
    pub fn settling(self, settled: Arc<Settled>) -> Self {
        Self { settled: Some(settled), ..self }
    }

    /// The client of Southbound.
    #[must_use]
    pub fn southbound(&self) -> Client {
        self.sb.clone()
    }

    /// What hosts are measured by.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        self.liveness.clone()
    }

    /// The ports that were refused a moment ago.
    #[must_use]
    pub fn refused(&self) -> Refused {
        self.refused.clone()
    }

    /// What the operator chose about binding.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    fn measure(&self, sb: &Replica) -> Measure {
        let nb_cfg = self.liveness.nb_cfg().unwrap_or_else(|| sb::nb_cfg(sb));
        Measure { nb_cfg, now: Timestamp::now(), down_time: self.binding.down_time }
    }

    fn try_plug(&self, ask: &PlugAsk<'_>) -> Option<Plug> {
        // Cards that the virtual switch does not see are plugged in by others.
        if is_foreign(ask.vnic_type) || is_external(ask.vnic_type, ask.profile) {
            return None;
        }
        let sb = self.sb.read()?;
        let (uuid, chassis) = host_of(&sb, ask)?;
        let reporter = sb::reporter_of(&sb, uuid)?;
        if !self.measure(&sb).is_alive(Program::Controller, reporter) {
            return None;
        }
        let needs = ask.physical_network.filter(|_| matches!(ask.network_type, "flat" | "vlan"));
        if needs.is_some_and(|name| !chassis.physical_networks().any(|known| known == name)) {
            return None;
        }
        let (vif_type, mut vif_details) = self.card(ask, chassis);
        let bridge = reporter.external_id("neutron:ovn-bridge").filter(|name| !name.is_empty());
        vif_details.insert("bridge_name".into(), bridge.unwrap_or(BRIDGE).into());
        vif_details.insert("datapath_type".into(), chassis.datapath_type().into());
        Some(Plug { vif_type, vif_details, driver: DRIVER })
    }

    /// `vif_type` and what depends on it.
    fn card(&self, ask: &PlugAsk<'_>, chassis: Chassis<'_>) -> (&'static str, Map<String, Json>) {
        let socket = || socket(&self.binding.socket_directory, ask.port_id);
        let (vif_type, details) = if chassis.datapath_type() == "netdev" && chassis.has_vhost_user()
        {
            let details = json!({
                "port_filter": false, "vhostuser_mode": "server", "vhostuser_ovs_plug": true,
                "connectivity": "l2", "vhostuser_socket": socket(),
            });
            ("vhostuser", details)
        } else if ask.vnic_type == VnicType::VirtioForwarder {
            let details = json!({
                "port_filter": true, "connectivity": "l2",
                "vhostuser_socket": socket(), "vhostuser_mode": "client",
            });
            ("agilio_ovs", details)
        } else {
            let details = json!({
                "port_filter": true, "connectivity": "l2",
                "ovs_create_tap": self.binding.creates_tap,
            });
            ("ovs", details)
        };
        let Json::Object(details) = details else { return (vif_type, Map::new()) };
        (vif_type, details)
    }

    async fn describe(&self, id: &str, description: &str) -> Result<(), Error> {
        let mut transaction = Transaction::new();
        {
            let sb = self.sb.read().ok_or_else(unavailable)?;
            let (program, host) = agent::find(&sb, id).ok_or_else(|| fault::agent_not_found(id))?;
            let (key, table) = (program.description_key(), sb::CHASSIS_PRIVATE);
            let (column, host) = ("external_ids", host.uuid);
            transaction.mutate(table, host, column, Mutator::Delete, Datum::one(key));
            if !description.is_empty() {
                let pair = Datum::map([(key, description)]);
                transaction.mutate(table, host, column, Mutator::Insert, pair);
            }
        }
        self.send(&transaction).await
    }

    async fn remove(&self, id: &str) -> Result<(), Error> {
        let mut transaction = Transaction::new();
        {
            let sb = self.sb.read().ok_or_else(unavailable)?;
            let (_, host) = agent::find(&sb, id).ok_or_else(|| fault::agent_not_found(id))?;
            let (chassis, private) = sb::rows_named(&sb, host.name());
            for uuid in chassis {
                transaction.delete(sb::CHASSIS, uuid);
            }
            for uuid in private {
                transaction.delete(sb::CHASSIS_PRIVATE, uuid);
            }
        }
        self.send(&transaction).await
    }

    async fn send(&self, transaction: &Transaction) -> Result<(), Error> {
        self.sb.transact(transaction).await.map(drop).map_err(|error| {
            tracing::warn!("Southbound did not take the change of an agent: {error}");
            unavailable()
        })
    }
}

/// Kinds of cards that OVN has nothing to do with.
fn is_foreign(vnic_type: VnicType) -> bool {
    match vnic_type {
        VnicType::SmartNic | VnicType::AcceleratorDirect | VnicType::AcceleratorDirectPhysical => {
            true
        }
        VnicType::Normal
        | VnicType::Direct
        | VnicType::Macvtap
        | VnicType::Baremetal
        | VnicType::DirectPhysical
        | VnicType::VirtioForwarder
        | VnicType::Vdpa
        | VnicType::RemoteManaged => false,
    }
}

/// The chassis that a port is bound to.
fn host_of<'a>(sb: &'a Replica, ask: &PlugAsk<'_>) -> Option<(Uuid, Chassis<'a>)> {
    if ask.vnic_type != VnicType::RemoteManaged {
        return sb::of_host(sb, ask.host).next();
    }
    // The switch runs on the card, whose processor is a host of its own.
    let serial = ask.profile.get("card_serial_number")?.as_str()?;
    let chassis = sb::chassis(sb).find(|one| one.card_serial_number() == Some(serial))?;
    sb::of_host(sb, chassis.hostname()).find(|(_, one)| one.name() == chassis.name())
}

fn socket(directory: &str, port_id: Id) -> String {
    let name: String = format!("vhu{port_id}").chars().take(SOCKET_NAME_MAX).collect();
    format!("{}/{name}", directory.trim_end_matches('/'))
}

fn unavailable() -> Error {
    fault::unavailable("OVN's Southbound database cannot be reached; please try again.")
}

impl Backend for Ovn {
    fn plug(&self, ask: &PlugAsk<'_>) -> Plug {
        self.try_plug(ask).unwrap_or_else(|| {
            self.refused.note(ask.port_id);
            Plug { vif_type: FAILED, vif_details: Map::new(), driver: DRIVER }
        })
    }

    fn reaches(&self, host: &str, physical_network: Option<&str>) -> bool {
        let Some(physical_network) = physical_network else { return true };
        let Some(sb) = self.sb.read() else { return false };
        sb::of_host(&sb, host)
            .any(|(_, chassis)| chassis.physical_networks().any(|known| known == physical_network))
    }

    fn agents(&self) -> Vec<Agent> {
        self.liveness.ask();
        let Some(sb) = self.sb.read() else { return Vec::new() };
        let agents = agent::all(&sb, &self.measure(&sb)).into_iter();
        agents.map(|attributes| Agent { attributes }).collect()
    }

    fn availability_zones(&self) -> Vec<String> {
        let Some(sb) = self.sb.read() else { return Vec::new() };
        let gateways = sb::chassis(&sb).filter(|chassis| chassis.is_gateway());
        let mut zones: Vec<String> =
            gateways.flat_map(Chassis::availability_zones).map(str::to_owned).collect();
        zones.sort();
        zones.dedup();
        zones
    }

    fn settled<'a>(
        &'a self,
        committed: &'a Committed,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            if let Some(settled) = &self.settled {
                settled.wait(committed).await;
            }
        })
    }

    fn describe_agent<'a>(&'a self, id: &'a str, description: &'a str) -> Pending<'a, ()> {
        Box::pin(self.describe(id, description))
    }

    fn remove_agent<'a>(&'a self, id: &'a str) -> Pending<'a, ()> {
        Box::pin(self.remove(id))
    }
}
