//! A few units that refer to each other, each there or not, in one of several shapes.

use std::collections::BTreeMap;

use model::unit::Unit;
use ovn::nb::{self, Table};
use ovn::want::{RowName, Wants, row};
use proptest::array;
use proptest::option;
use proptest::prelude::*;
use sql::Mark;
use uuid::Uuid;
use wire::types::Id;
use wire::types::words::IpVersion;

/// Which units there are, and what of them.
#[derive(Clone, Debug)]
pub struct World {
    networks: [Option<Network>; 2],
    subnets: [Option<u8>; 2],
    ports: [Option<Port>; 3],
    groups: [Option<[bool; 3]>; 2],
    sets: [Option<u8>; 2],
    names: [Option<u8>; 2],
}

#[derive(Clone, Debug)]
struct Network {
    name: u8,
    localnet: bool,
    chassis: Option<[bool; 2]>,
}

#[derive(Clone, Debug)]
struct Port {
    network: bool,
    subnet: Option<bool>,
    groups: [bool; 2],
    options: Option<u8>,
}

/// Any world.
pub fn any_world() -> impl Strategy<Value = World> {
    let network = (any::<u8>(), any::<bool>(), option::of(any::<[bool; 2]>()))
        .prop_map(|(name, localnet, chassis)| Network { name, localnet, chassis });
    let port = (any::<bool>(), any::<Option<bool>>(), any::<[bool; 2]>(), any::<Option<u8>>())
        .prop_map(|(network, subnet, groups, options)| Port { network, subnet, groups, options });
    let numbers = || any::<[Option<u8>; 2]>();
    (
        array::uniform2(option::weighted(0.7, network)),
        numbers(),
        array::uniform3(option::weighted(0.7, port)),
        array::uniform2(option::weighted(0.7, any::<[bool; 3]>())),
        numbers(),
        numbers(),
    )
        .prop_map(|(networks, subnets, ports, groups, sets, names)| World {
            networks,
            subnets,
            ports,
            groups,
            sets,
            names,
        })
}

fn id(kind: Unit, number: usize) -> Id {
    Id(Uuid::from_u128(((kind as u128) << 64) + number as u128 + 1))
}

fn marked<T>(
    kind: Unit,
    all: &[Option<T>],
    render: impl Fn(Id, &T) -> Wants,
) -> Vec<(Mark, Wants)> {
    let one = |(number, one): (usize, &Option<T>)| {
        let id = id(kind, number);
        (kind.mark(id), one.as_ref().map(|one| render(id, one)).unwrap_or_default())
    };
    all.iter().enumerate().map(one).collect()
}

impl World {
    /// All units, with what they should look like.
    pub fn units(&self) -> Vec<(Mark, Wants)> {
        let mut units = marked(Unit::Port, &self.ports, port);
        units.extend(marked(Unit::NetworkDns, &self.names, names));
        units.extend(marked(Unit::SecurityGroup, &self.groups, group));
        units.extend(marked(Unit::Subnet, &self.subnets, subnet));
        units.extend(marked(Unit::Network, &self.networks, network));
        units.extend(marked(Unit::AddressGroup, &self.sets, set));
        units
    }

    /// A unit refers to one that is not there.
    pub fn waits(&self, mark: Mark) -> bool {
        let number = usize::try_from(mark.id.0.as_u128() & 0xff).unwrap() - 1;
        if mark.kind == Unit::NetworkDns as i16 {
            return self.names[number].is_some() && self.networks[number].is_none();
        }
        let Some(port) =
            (mark.kind == Unit::Port as i16).then(|| self.ports[number].as_ref()).flatten()
        else {
            return false;
        };
        let groups = port.groups.iter().zip(&self.groups);
        self.networks[usize::from(port.network)].is_none()
            || port.subnet.is_some_and(|subnet| self.subnets[usize::from(subnet)].is_none())
            || groups.into_iter().any(|(wanted, group)| *wanted && group.is_none())
    }
}

fn network(id: Id, network: &Network) -> Wants {
    let mut wants = Wants::default();
    let switch = nb::switch(id);
    wants.row(row(Table::LogicalSwitch, &*switch.key).text("name", &switch.key).keys(
        "external_ids",
        [
            ("neutron:network_name", Some(network.name.to_string())),
            ("neutron:odd", (network.name % 2 == 1).then(|| "odd".to_owned())),
        ],
    ));
    if network.localnet {
        let port = nb::localnet(id);
        wants.row(
            row(Table::LogicalSwitchPort, &*port.key)
                .text("name", &port.key)
                .text("type", "localnet"),
        );
        wants.member(switch, "ports", port);
    }
    if let Some(chassis) = network.chassis {
        let group = nb::network_chassis_group(id);
        wants.row(
            row(Table::HaChassisGroup, &*group.key)
                .text("name", &group.key)
                .keys("external_ids", [("neutron:network_id", id.to_string())]),
        );
        for (number, _) in chassis.iter().enumerate().filter(|(_, there)| **there) {
            let name = format!("chassis/{number}");
            let member = nb::ha_chassis(&group, &name);
            wants.row(
                row(Table::HaChassis, &*member.key).text("chassis_name", &name).one("priority", 7),
            );
            wants.member(group.clone(), "ha_chassis", member);
        }
    }
    wants
}

fn subnet(id: Id, shape: &u8) -> Wants {
    let mut wants = Wants::default();
    let options = BTreeMap::from([
        ("server_mac", format!("02:00:00:00:00:{shape:02x}")),
        ("mtu", shape.to_string()),
    ]);
    wants.row(
        row(Table::DhcpOptions, id.to_string())
            .text("cidr", format!("10.{shape}.0.0/24"))
            .keys("external_ids", [("subnet_id", id.to_string())])
            .pairs("options", options, &["server_mac"]),
    );
    wants
}

fn port(id: Id, port: &Port) -> Wants {
    let mut wants = Wants::default();
    let name = nb::port(id);
    let mut dhcp =
        port.subnet.map(|subnet| nb::dhcp_options(self::id(Unit::Subnet, usize::from(subnet))));
    if let Some(shape) = port.options {
        let own = nb::port_dhcp_options(self::id(Unit::Subnet, 0), id);
        wants.row(
            row(Table::DhcpOptions, &*own.key).text("cidr", format!("10.{shape}.0.0/24")).keys(
                "external_ids",
                [("subnet_id", self::id(Unit::Subnet, 0).to_string()), ("port_id", id.to_string())],
            ),
        );
        dhcp = dhcp.map(|_| own);
    }
    wants.row(
        row(Table::LogicalSwitchPort, &*name.key)
            .text("name", &name.key)
            .keys("external_ids", [("neutron:port_name", "p")])
            .refers("dhcpv4_options", dhcp),
    );
    // A port with options of its own needs its subnet none the less.
    if let (Some(subnet), true) = (port.subnet, port.options.is_some()) {
        let options = nb::dhcp_options(self::id(Unit::Subnet, usize::from(subnet)));
        wants
            .rows
            .last_mut()
            .unwrap()
            .columns
            .push(("dhcpv6_options", ovn::want::Cell::Refers(vec![options])));
    } else {
        wants
            .rows
            .last_mut()
            .unwrap()
            .columns
            .push(("dhcpv6_options", ovn::want::Cell::Refers(Vec::new())));
    }
    wants.member(
        nb::switch(self::id(Unit::Network, usize::from(port.network))),
        "ports",
        name.clone(),
    );
    for (number, _) in port.groups.iter().enumerate().filter(|(_, wanted)| **wanted) {
        wants.member(nb::port_group(self::id(Unit::SecurityGroup, number)), "ports", name.clone());
    }
    wants
}

fn group(id: Id, rules: &[bool; 3]) -> Wants {
    let mut wants = Wants::default();
    let name = nb::port_group(id);
    wants.row(row(Table::PortGroup, &*name.key).text("name", &name.key));
    for (number, _) in rules.iter().enumerate().filter(|(_, there)| **there) {
        let rule = Id(Uuid::from_u128(id.0.as_u128() * 16 + number as u128));
        let acl = RowName::new(Table::Acl, rule.to_string());
        wants.row(
            row(Table::Acl, &*acl.key)
                .text("action", "allow")
                .text("direction", "to-lport")
                .text("match", format!("ip4 && {number} == {number}"))
                .one("priority", 1002)
                .keys("external_ids", [("neutron:security_group_rule_id", rule.to_string())]),
        );
        wants.member(name.clone(), "acls", acl);
    }
    wants
}

fn set(id: Id, shape: &u8) -> Wants {
    let mut wants = Wants::default();
    for version in [IpVersion::V4, IpVersion::V6] {
        let name = nb::address_set(id, version);
        wants.row(
            row(Table::AddressSet, &*name.key)
                .text("name", &name.key)
                .texts("addresses", (0..shape % 3).map(|number| format!("10.0.0.{number}"))),
        );
    }
    wants
}

fn names(id: Id, shape: &u8) -> Wants {
    // The network of the same number.
    let network = self::id(Unit::Network, usize::try_from(id.0.as_u128() & 0xff).unwrap() - 1);
    let mut wants = Wants::default();
    let name = nb::dns(id);
    wants.row(
        row(Table::Dns, &*name.key).keys("external_ids", [("ls_name", name.key.as_str())]).pairs(
            "records",
            [("name", format!("10.0.0.{shape}"))],
            &[],
        ),
    );
    wants.member(nb::switch(network), "dns_records", name);
    wants
}
