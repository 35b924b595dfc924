//! The tables of the Northbound database that are written here, and the key by which a row of each
//! is found again: the same by which Neutron's own tools find it, so that rows made by either side
//! are taken over by the other.

use ovsdb::value::Datum;

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
            Self::Acl => external("neutron:security_group_rule_id").map(str::to_owned),
            Self::Dns => external("ls_name").map(str::to_owned),
            Self::HaChassis => Some(get("chassis_name").as_one()?.as_str()?.to_owned()),
            Self::NbGlobal => Some(String::new()),
        }
    }
}
