//! Agents, as Neutron shows them: what runs on a host, read off the rows that the hosts report in.
//! Pure. An agent is alive that has come to the latest configuration, or the one before, or has
//! come to any a short while ago. Not here: raising the configuration's number (`liveness`),
//! changing agents (`bind`).

use std::time::Duration;

use jiff::Timestamp;
use ovsdb::replica::Replica;
use serde_json::{Map, Value as Json, json};

use crate::sb::{self, Reporter};

/// `agent_down_time`: so long an agent may take to come to a configuration.
pub const AGENT_DOWN_TIME: Duration = Duration::from_secs(75);

/// PARITY: what Neutron shows for the chassis of a host that still reports but has none.
const DELETED: &str = "(\"Chassis\" register deleted)";

/// What runs on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `ovn-controller`
    Controller,
    /// Serves metadata to guests.
    Metadata,
    /// Serves metadata and more.
    Neutron,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Controller, Self::Metadata, Self::Neutron];

    fn binary(self) -> &'static str {
        match self {
            Self::Controller => "ovn-controller",
            Self::Metadata => "neutron-ovn-metadata-agent",
            Self::Neutron => "neutron-ovn-agent",
        }
    }

    /// `agent_type`
    fn kind(self, is_gateway: bool) -> &'static str {
        match self {
            Self::Controller if is_gateway => "OVN Controller Gateway agent",
            Self::Controller => "OVN Controller agent",
            Self::Metadata => "OVN Metadata agent",
            Self::Neutron => "OVN Neutron agent",
        }
    }

    /// Under which key of `Chassis_Private.external_ids` it is described.
    #[must_use]
    pub fn description_key(self) -> &'static str {
        match self {
            Self::Controller => "neutron:description",
            Self::Metadata => "neutron:description-metadata",
            Self::Neutron => "neutron:description-neutron-agent",
        }
    }

    /// Its id on a host; `None`: it does not run there.
    fn id(self, host: Reporter<'_>) -> Option<&str> {
        let told = |key| host.external_id(key).filter(|id| !id.is_empty());
        let neutron = told("neutron:ovn-neutron-agent-id");
        match self {
            Self::Controller => Some(host.name()).filter(|id| !id.is_empty()),
            // PARITY: where both have reported, only the newer one counts.
            Self::Metadata => told("neutron:ovn-metadata-id").filter(|_| neutron.is_none()),
            Self::Neutron => neutron,
        }
    }

    /// The configuration that it has come to.
    fn nb_cfg(self, host: Reporter<'_>) -> i64 {
        let told = |key| host.external_id(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        match self {
            Self::Controller => host.nb_cfg(),
            Self::Metadata => told("neutron:ovn-metadata-sb-cfg"),
            Self::Neutron => told("neutron:ovn-neutron-agent-sb-cfg"),
        }
    }
}

/// What an agent is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// What every agent should have come to.
    pub nb_cfg: i64,
    /// The time.
    pub now: Timestamp,
    /// How long it may take.
    pub down_time: Duration,
}

impl Measure {
    fn is_met(&self, nb_cfg: i64, at_ms: i64) -> bool {
        let patience = i64::try_from(self.down_time.as_millis()).unwrap_or(i64::MAX);
        self.nb_cfg - nb_cfg <= 1 || self.now.as_millisecond() - at_ms < patience
    }

    /// True when a program on a host is alive: nothing is where `ovn-controller` is not.
    #[must_use]
    pub fn is_alive(&self, program: Program, host: Reporter<'_>) -> bool {
        let at = host.nb_cfg_timestamp();
        host.chassis().is_some()
            && self.is_met(Program::Controller.nb_cfg(host), at)
            && self.is_met(program.nb_cfg(host), at)
    }
}

/// All agents, by their attributes' wire names.
#[must_use]
pub fn all(sb: &Replica, measure: &Measure) -> Vec<Map<String, Json>> {
    let of_host = |host: Reporter<'_>| {
        let runs = Program::ALL.into_iter().filter_map(move |program| {
            program.id(host).map(|id| shown(program, id, host, measure))
        });
        runs.collect::<Vec<_>>()
    };
    sb::reporters(sb).flat_map(of_host).collect()
}

/// The program and the host of an agent.
#[must_use]
pub fn find<'a>(sb: &'a Replica, id: &str) -> Option<(Program, Reporter<'a>)> {
    sb::reporters(sb).find_map(|host| {
        let is_it = |program: &Program| program.id(host) == Some(id);
        Program::ALL.into_iter().find(is_it).map(|program| (program, host))
    })
}

fn shown(program: Program, id: &str, host: Reporter<'_>, measure: &Measure) -> Map<String, Json> {
    let chassis = host.chassis();
    let zones = chassis.map(|chassis| chassis.availability_zones()).unwrap_or_default();
    let zones: Vec<&str> = zones.into_iter().collect();
    let heartbeat = Timestamp::from_millisecond(host.nb_cfg_timestamp()).unwrap_or_default();
    let shown = json!({
        "id": id,
        "agent_type": program.kind(chassis.is_some_and(|chassis| chassis.is_gateway())),
        "binary": program.binary(),
        "topic": "n/a",
        "host": chassis.map_or(DELETED, |chassis| chassis.hostname()),
        "admin_state_up": true,
        "heartbeat_timestamp": heartbeat.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        "alive": measure.is_alive(program, host),
        "configurations": {
            "chassis_name": chassis.map_or(DELETED, |chassis| chassis.name()),
            "bridge-mappings": chassis.map_or("", |chassis| chassis.bridge_mappings()),
        },
        "description": host.external_id(program.description_key()).unwrap_or_default(),
        "availability_zone": zones.join(", "),
    });
    match shown {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}
