//! The tables of Southbound that are followed here, and what they say of hosts and ports. Nothing
//! is written to Southbound but by `bind`, of agents. Not here: what becomes of it (`watch`,
//! `bind`, `agent`).

use std::collections::BTreeSet;

use ovsdb::client::{Client, Monitored, Options};
use ovsdb::remote::Remote;
use ovsdb::replica::{Index, Replica};
use ovsdb::row::Row;
use ovsdb::tls::TlsFiles;
use uuid::Uuid;
use wire::types::Id;

use crate::facts;

/// The name of the database.
pub const DATABASE: &str = "OVN_Southbound";
/// The one row of the whole database.
pub const SB_GLOBAL: &str = "SB_Global";
/// Hosts, as they describe themselves to each other.
pub const CHASSIS: &str = "Chassis";
/// Hosts, as they report to us.
pub const CHASSIS_PRIVATE: &str = "Chassis_Private";
/// Ports, and where they are.
pub const PORT_BINDING: &str = "Port_Binding";

const BY_NAME: &str = "name";
const BY_HOSTNAME: &str = "hostname";
const BY_CHASSIS: &str = "chassis";
const BY_PORT: &str = "logical_port";

/// What a client has to follow for this module.
#[must_use]
pub fn options(remotes: Vec<Remote>, tls: Option<TlsFiles>) -> Options {
    let table = |table, columns| Monitored { table, columns, condition: Vec::new() };
    Options {
        tables: vec![
            table(SB_GLOBAL, &["nb_cfg"]),
            table(CHASSIS, &["name", "hostname", "other_config"]),
            table(
                CHASSIS_PRIVATE,
                &["name", "chassis", "nb_cfg", "nb_cfg_timestamp", "external_ids"],
            ),
            table(PORT_BINDING, &["logical_port", "type", "chassis", "additional_chassis", "up"]),
        ],
        indexes: vec![
            Index { table: CHASSIS, name: BY_NAME, keys: |row| texts(row, "name") },
            Index { table: CHASSIS, name: BY_HOSTNAME, keys: |row| texts(row, "hostname") },
            Index { table: CHASSIS_PRIVATE, name: BY_NAME, keys: |row| texts(row, "name") },
            Index { table: CHASSIS_PRIVATE, name: BY_CHASSIS, keys: chassis_of_private },
            Index { table: PORT_BINDING, name: BY_PORT, keys: |row| texts(row, "logical_port") },
        ],
        tls,
        ..Options::new(remotes, DATABASE)
    }
}

/// Begins to follow Southbound.
#[must_use]
pub fn start(remotes: Vec<Remote>, tls: Option<TlsFiles>) -> Client {
    Client::start(options(remotes, tls))
}

fn texts(row: &Row, column: &str) -> Vec<String> {
    row.text(column).map(str::to_owned).into_iter().collect()
}

fn chassis_of_private(row: &Row) -> Vec<String> {
    reference(row, "chassis").map(|uuid| uuid.to_string()).into_iter().collect()
}

/// The row that a column refers to.
fn reference(row: &Row, column: &str) -> Option<Uuid> {
    row.get(column).as_set()?.first()?.as_uuid()
}

/// A host that OVN runs on.
#[derive(Clone, Copy)]
pub struct Chassis<'a>(&'a Row);

impl<'a> Chassis<'a> {
    /// The chassis that this row is.
    #[must_use]
    pub fn of(row: &'a Row) -> Self {
        Self(row)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.0.text("name").unwrap_or_default()
    }

    /// The name of its host, by which ports are bound to it.
    #[must_use]
    pub fn hostname(self) -> &'a str {
        self.0.text("hostname").unwrap_or_default()
    }

    fn configured(self, key: &str) -> &'a str {
        self.0.get("other_config").text_at(key).unwrap_or_default()
    }

    /// `ovn-bridge-mappings`, as it is configured: `physnet1:br-ex,physnet2:br-o`.
    #[must_use]
    pub fn bridge_mappings(self) -> &'a str {
        self.configured("ovn-bridge-mappings")
    }

    /// The physical networks that it has bridges for.
    pub fn physical_networks(self) -> impl Iterator<Item = &'a str> {
        let mappings = self.bridge_mappings().split(',');
        mappings.filter_map(|mapping| mapping.split_once(':')).map(|(network, _)| network.trim())
    }

    /// `datapath-type`: `system`, `netdev`, or nothing.
    #[must_use]
    pub fn datapath_type(self) -> &'a str {
        self.configured("datapath-type")
    }

    /// True where guests' cards can be sockets that the switch listens on.
    #[must_use]
    pub fn has_vhost_user(self) -> bool {
        self.configured("iface-types").split(',').any(|kind| kind == "dpdkvhostuser")
    }

    fn cms_options(self) -> impl Iterator<Item = &'a str> {
        self.configured("ovn-cms-options").split(',').map(str::trim)
    }

    fn cms_option(self, name: &str) -> Option<&'a str> {
        self.cms_options().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    /// True where a port is up only when the chassis says so, as every `ovn-controller` since 20.12
    /// does.
    #[must_use]
    pub fn reports_ports(self) -> bool {
        self.configured("port-up-notif") == "true"
    }

    /// True for hosts on which routers may have their gateways.
    #[must_use]
    pub fn is_gateway(self) -> bool {
        self.cms_options().any(|option| option == "enable-chassis-as-gw")
    }

    /// Its availability zones.
    #[must_use]
    pub fn availability_zones(self) -> BTreeSet<&'a str> {
        // PARITY: what follows a second `=` does not count.
        let named = self.cms_option("availability-zones").and_then(|zones| zones.split('=').next());
        let zones = named.into_iter().flat_map(|zones| zones.split(':')).map(str::trim);
        zones.filter(|zone| !zone.is_empty()).collect()
    }

    /// The serial number of the card that it is the processor of.
    #[must_use]
    pub fn card_serial_number(self) -> Option<&'a str> {
        self.cms_option("card-serial-number")
    }

    /// What rendering knows of it.
    #[must_use]
    pub fn facts(self) -> facts::Chassis {
        facts::Chassis {
            name: self.name().to_owned(),
            hostname: self.hostname().to_owned(),
            physical_networks: self.physical_networks().map(str::to_owned).collect(),
            is_gateway: self.is_gateway(),
            hosts_external_ports: self
                .cms_options()
                .any(|option| option == "enable-chassis-as-extport-host"),
            availability_zones: self.availability_zones().into_iter().map(str::to_owned).collect(),
            card_serial_number: self.card_serial_number().map(str::to_owned),
        }
    }
}

/// All chassis.
pub fn chassis(sb: &Replica) -> impl Iterator<Item = Chassis<'_>> {
    sb.rows(CHASSIS).map(|(_, row)| Chassis(row))
}

/// What rendering knows of all chassis.
#[must_use]
pub fn facts(sb: &Replica) -> Vec<facts::Chassis> {
    chassis(sb).map(Chassis::facts).collect()
}

/// The chassis of a host, by the host's name.
pub fn of_host<'a>(sb: &'a Replica, host: &str) -> impl Iterator<Item = (Uuid, Chassis<'a>)> {
    let found = sb.find(CHASSIS, BY_HOSTNAME, host).iter();
    found.filter_map(|uuid| Some((*uuid, Chassis(sb.row(CHASSIS, *uuid)?))))
}

/// What a host reports to us.
#[derive(Clone, Copy)]
pub struct Reporter<'a> {
    /// The name of the row.
    pub uuid: Uuid,
    row: &'a Row,
    sb: &'a Replica,
}

impl<'a> Reporter<'a> {
    /// Its name: that of its chassis.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.row.text("name").unwrap_or_default()
    }

    /// Its chassis; `None`: it was deleted, or is not registered yet.
    #[must_use]
    pub fn chassis(self) -> Option<Chassis<'a>> {
        let uuid = reference(self.row, "chassis")?;
        self.sb.row(CHASSIS, uuid).map(|row| Chassis(row))
    }

    /// The configuration that it has come to.
    #[must_use]
    pub fn nb_cfg(self) -> i64 {
        self.number("nb_cfg")
    }

    /// When it came to it: milliseconds since 1970.
    #[must_use]
    pub fn nb_cfg_timestamp(self) -> i64 {
        self.number("nb_cfg_timestamp")
    }

    fn number(self, column: &str) -> i64 {
        self.row.get(column).as_one().and_then(|atom| atom.as_integer()).unwrap_or(0)
    }

    /// What agents of ours wrote there.
    #[must_use]
    pub fn external_id(self, key: &str) -> Option<&'a str> {
        self.row.get("external_ids").text_at(key)
    }
}

/// All hosts that report.
pub fn reporters(sb: &Replica) -> impl Iterator<Item = Reporter<'_>> {
    sb.rows(CHASSIS_PRIVATE).map(move |(uuid, row)| Reporter { uuid, row, sb })
}

/// What the host of a chassis reports.
#[must_use]
pub fn reporter_of(sb: &Replica, chassis: Uuid) -> Option<Reporter<'_>> {
    let uuid = *sb.find(CHASSIS_PRIVATE, BY_CHASSIS, &chassis.to_string()).first()?;
    Some(Reporter { uuid, row: sb.row(CHASSIS_PRIVATE, uuid)?, sb })
}

/// The chassis with this name, and what its host reports.
#[must_use]
pub fn named<'a>(sb: &'a Replica, name: &str) -> Option<(Chassis<'a>, Reporter<'a>)> {
    let uuid = *sb.find(CHASSIS, BY_NAME, name).first()?;
    Some((Chassis(sb.row(CHASSIS, uuid)?), reporter_of(sb, uuid)?))
}

/// Rows of `Chassis` and `Chassis_Private` with this name.
#[must_use]
pub fn rows_named(sb: &Replica, name: &str) -> (Vec<Uuid>, Vec<Uuid>) {
    let found = |table| sb.find(table, BY_NAME, name).to_vec();
    (found(CHASSIS), found(CHASSIS_PRIVATE))
}

/// What every host should have come to, as far as Southbound knows.
#[must_use]
pub fn nb_cfg(sb: &Replica) -> i64 {
    let global = sb.rows(SB_GLOBAL).next();
    let number = global.and_then(|(_, row)| row.get("nb_cfg").as_one()?.as_integer());
    number.unwrap_or(0)
}

/// The port that a row of `Port_Binding` is of; `None`: it is none of Neutron's ports.
#[must_use]
pub fn port_of(row: &Row) -> Option<Id> {
    row.text("logical_port").and_then(Id::read)
}

/// A chassis by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its own.
    pub name: String,
    /// Its host's.
    pub hostname: String,
}

/// Where OVN has a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its flows are installed there.
    pub is_up: bool,
    /// The chassis that it is on.
    pub chassis: Option<Named>,
    /// The chassis that have its device already and will take it over.
    pub next: Vec<Named>,
    /// It is an address that several ports take turns to have.
    pub is_virtual: bool,
}

/// Where OVN has a port; `None`: nowhere.
#[must_use]
pub fn place(sb: &Replica, port_id: Id) -> Option<Place> {
    let uuid = *sb.find(PORT_BINDING, BY_PORT, &port_id.to_string()).first()?;
    let row = sb.row(PORT_BINDING, uuid)?;
    let on = |uuid| sb.row(CHASSIS, uuid).map(|row| Chassis(row));
    let named =
        |one: Chassis<'_>| Named { name: one.name().into(), hostname: one.hostname().into() };
    let chassis = reference(row, "chassis").and_then(on);
    let next = row.get("additional_chassis").as_set();
    let next = next.into_iter().flat_map(|set| set.iter()).filter_map(|atom| atom.as_uuid());
    let is_reported = row.get("up").as_one().and_then(|atom| atom.as_bool()).unwrap_or(false);
    Some(Place {
        // As OVN itself decides it for `Logical_Switch_Port.up`.
        is_up: chassis.is_some_and(|chassis| is_reported || !chassis.reports_ports()),
        chassis: chassis.map(named),
        next: next.filter_map(on).map(named).collect(),
        is_virtual: row.text("type") == Some("virtual"),
    })
}
