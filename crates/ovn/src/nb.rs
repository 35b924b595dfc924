//! The tables of the Northbound database that are written here, and the key by which a row of each
//! is found again: the same by which Neutron's own tools find it, so that rows made by either side
//! are taken over by the other.

use ovsdb::value::Datum;
use wire::types::Id;
use wire::types::words::IpVersion;

use crate::want::RowName;

/// The group of all ports whose traffic is filtered.
pub const DROP_GROUP: &str = "neutron_pg_drop";
/// What the two rows of that group match, which have no other key.
pub const DROPS: [&str; 2] =
    ["inport == @neutron_pg_drop && ip", "outport == @neutron_pg_drop && ip"];

/// The switch of a network.
pub fn switch(network_id: Id) -> RowName {
    RowName::new(Table::LogicalSwitch, format!("neutron-{network_id}"))
}

/// The UUID that a new row must have: Neutron refers to the switch of a network by the network's
/// id, also before it has seen the row.
pub fn row_uuid(row: &RowName) -> Option<uuid::Uuid> {
    let network_id = row.key.strip_prefix("neutron-").filter(|_| row.table == Table::LogicalSwitch);
    network_id.and_then(|id| uuid::Uuid::try_parse(id).ok())
}

/// The port of a port.
pub fn port(port_id: Id) -> RowName {
    RowName::new(Table::LogicalSwitchPort, port_id.to_string())
}

/// The port through which a segment reaches its physical network.
pub fn localnet(segment_id: Id) -> RowName {
    RowName::new(Table::LogicalSwitchPort, format!("provnet-{segment_id}"))
}

/// The DHCP options of a subnet.
pub fn dhcp_options(subnet_id: Id) -> RowName {
    RowName::new(Table::DhcpOptions, subnet_id.to_string())
}

/// The DHCP options of one port in a subnet.
pub fn port_dhcp_options(subnet_id: Id, port_id: Id) -> RowName {
    RowName::new(Table::DhcpOptions, format!("{subnet_id}/{port_id}"))
}

/// The group of the ports of a security group. Matches name it, where hyphens are no part of names.
pub fn port_group(security_group_id: Id) -> RowName {
    RowName::new(Table::PortGroup, format!("pg_{security_group_id}").replace('-', "_"))
}

/// The group of all filtered ports.
pub fn drop_group() -> RowName {
    RowName::new(Table::PortGroup, DROP_GROUP)
}

/// The addresses of one version in an address group.
pub fn address_set(address_group_id: Id, version: IpVersion) -> RowName {
    let name = format!("ag_{address_group_id}_ip{version}").replace('-', "_");
    RowName::new(Table::AddressSet, name)
}

/// The names of a network's ports.
pub fn dns(network_id: Id) -> RowName {
    RowName::new(Table::Dns, format!("neutron-{network_id}"))
}

/// The chassis that answer for the external ports of a network.
pub fn network_chassis_group(network_id: Id) -> RowName {
    RowName::new(Table::HaChassisGroup, format!("neutron-{network_id}"))
}

/// The chassis that answer for one external port.
pub fn port_chassis_group(port_id: Id) -> RowName {
    RowName::new(Table::HaChassisGroup, format!("neutron-extport-{port_id}"))
}

/// A chassis in a group.
pub fn ha_chassis(group: &RowName, chassis: &str) -> RowName {
    RowName::new(Table::HaChassis, format!("{}/{chassis}", group.key))
}

/// A Northbound table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// A network.
    LogicalSwitch,
    /// A port of a network.
    LogicalSwitchPort,
    /// DHCP answers of a subnet, or of one port in it.
    DhcpOptions,
    /// A security group, or the group of all ports whose traffic is filtered.
    PortGroup,
    /// A security group rule.
    Acl,
    /// An address group of one family.
    AddressSet,
    /// The names of a network's ports.
    Dns,
    /// The chassis that answer for external ports.
    HaChassisGroup,
    /// One chassis of such a group.
    HaChassis,
    /// The one row of the whole database.
    NbGlobal,
}

impl Table {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogicalSwitch => "Logical_Switch",
            Self::LogicalSwitchPort => "Logical_Switch_Port",
            Self::DhcpOptions => "DHCP_Options",
            Self::PortGroup => "Port_Group",
            Self::Acl => "ACL",
            Self::AddressSet => "Address_Set",
            Self::Dns => "DNS",
            Self::HaChassisGroup => "HA_Chassis_Group",
            Self::HaChassis => "HA_Chassis",
            Self::NbGlobal => "NB_Global",
        }
    }

    /// The tables that are written here.
    pub const ALL: [Self; 10] = [
        Self::LogicalSwitch,
        Self::LogicalSwitchPort,
        Self::DhcpOptions,
        Self::PortGroup,
        Self::Acl,
        Self::AddressSet,
        Self::Dns,
        Self::HaChassisGroup,
        Self::HaChassis,
        Self::NbGlobal,
    ];

    /// The table of this name, if it is written here.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The table of the rows in a set that belongs to its members and not to the row: each unit
    /// puts its own rows there.
    #[must_use]
    pub fn members(self, column: &str) -> Option<Self> {
        match (self, column) {
            (Self::LogicalSwitch | Self::PortGroup, "ports") => Some(Self::LogicalSwitchPort),
            (Self::LogicalSwitch, "dns_records") => Some(Self::Dns),
            _ => None,
        }
    }

    /// The key of a row of this table; `get` gives the row's columns.
    /// `None`: nobody's row, left alone.
    pub fn key<'a>(self, get: impl Fn(&str) -> &'a Datum) -> Option<String> {
        let external = |key: &str| get("external_ids").text_at(key);
        let name = || Some(get("name").as_one()?.as_str()?.to_owned());
        match self {
            Self::LogicalSwitch
            | Self::LogicalSwitchPort
            | Self::PortGroup
            | Self::AddressSet
            | Self::HaChassisGroup => name(),
            Self::DhcpOptions => {
                let subnet = external("subnet_id")?;
                Some(match external("port_id") {
                    Some(port) => format!("{subnet}/{port}"),
                    None => subnet.to_owned(),
                })
            }
            Self::Acl => {
                let dropped = || get("match").as_one()?.as_str().filter(|is| DROPS.contains(is));
                external("neutron:security_group_rule_id").or_else(dropped).map(str::to_owned)
            }
            Self::Dns => external("ls_name").map(str::to_owned),
            // The same chassis is in many groups, each time as a row of its own: which one this is
            // only the group knows that refers to it ([`ha_chassis`]).
            Self::HaChassis => None,
            Self::NbGlobal => Some(String::new()),
        }
    }
}
