//! Which Northbound rows belong to which unit, now and by the rows alone: found by their keys, so
//! that rows made by Neutron are ours as much as those that we made. A row that no unit can have is
//! nobody's, and left alone. Not here: what the rows should hold (`render`, `diff`).

use model::unit::Unit;
use ovsdb::client::Monitored;
use ovsdb::replica::{Index, Replica};
use ovsdb::row::Row;
use sql::Mark;
use uuid::Uuid;
use wire::types::Id;
use wire::types::words::IpVersion;

use crate::nb::{self, DROP_GROUP, Table};
use crate::want::RowName;

/// Rows by [`Table::key`].
const BY_KEY: &str = "key";
/// DHCP options by the port whose own they are.
const BY_PORT: &str = "port";
/// Of this the names of the rows that we make are derived; never to be changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x5eb1_9fb0_63c8_4c3d_9d0e_2b6f_3a51_7c04);

/// What is followed of Northbound: every column that is ours, and by which rows are found.
#[must_use]
pub fn monitored() -> Vec<Monitored> {
    let tables: [(&'static str, &'static [&'static str]); 10] = [
        ("Logical_Switch", &["name", "ports", "dns_records", "other_config", "external_ids"]),
        (
            "Logical_Switch_Port",
            &[
                "name",
                "type",
                "options",
                "parent_name",
                "tag",
                "tag_request",
                "addresses",
                "port_security",
                "enabled",
                "dhcpv4_options",
                "dhcpv6_options",
                "ha_chassis_group",
                "external_ids",
            ],
        ),
        ("DHCP_Options", &["cidr", "options", "external_ids"]),
        ("Port_Group", &["name", "ports", "acls", "external_ids"]),
        (
            "ACL",
            &[
                "name",
                "priority",
                "direction",
                "match",
                "action",
                "log",
                "severity",
                "meter",
                "label",
                "options",
                "external_ids",
            ],
        ),
        ("Address_Set", &["name", "addresses", "external_ids"]),
        ("DNS", &["records", "options", "external_ids"]),
        ("HA_Chassis_Group", &["name", "ha_chassis", "external_ids"]),
        ("HA_Chassis", &["chassis_name", "priority", "external_ids"]),
        ("NB_Global", &["nb_cfg", "options", "external_ids"]),
    ];
    let monitored = |(table, columns)| Monitored { table, columns, condition: Vec::new() };
    tables.into_iter().map(monitored).collect()
}

/// How rows of Northbound are found.
#[must_use]
pub fn indexes() -> Vec<Index> {
    fn keys(table: Table, row: &Row) -> Vec<String> {
        table.key(|column| row.get(column)).into_iter().collect()
    }
    macro_rules! by_key {
        ($($table:ident),+) => {
            vec![$(Index {
                table: Table::$table.name(),
                name: BY_KEY,
                keys: |row| keys(Table::$table, row),
            }),+]
        };
    }
    let mut indexes = by_key![
        LogicalSwitch,
        LogicalSwitchPort,
        DhcpOptions,
        PortGroup,
        Acl,
        AddressSet,
        Dns,
        HaChassisGroup,
        NbGlobal
    ];
    indexes.push(Index {
        table: Table::DhcpOptions.name(),
        name: BY_PORT,
        keys: |row| {
            row.get("external_ids").text_at("port_id").map(str::to_owned).into_iter().collect()
        },
    });
    indexes
}

/// The UUID that a row of this name has when we make it. All servers come to the same one, so that
/// it can be named before it is there, and making it twice fails.
#[must_use]
pub fn uuid(row: &RowName) -> Uuid {
    let name = || format!("{}\0{}", row.table.name(), row.key);
    nb::row_uuid(row).unwrap_or_else(|| Uuid::new_v5(&NAMESPACE, name().as_bytes()))
}

/// The row of this name. Of several with the same key it is the one that we would make, else the
/// first.
#[must_use]
pub fn find(replica: &Replica, row: &RowName) -> Option<Uuid> {
    let ours = uuid(row);
    if replica.row(row.table.name(), ours).is_some() {
        return Some(ours);
    }
    all(replica, row).first().copied()
}

/// All rows with this key; more than one only where somebody else made some.
fn all(replica: &Replica, row: &RowName) -> Vec<Uuid> {
    if row.table != Table::HaChassis {
        return replica.find(row.table.name(), BY_KEY, &row.key).to_vec();
    }
    let Some((group, chassis)) = row.key.split_once('/') else { return Vec::new() };
    let groups = all(replica, &RowName::new(Table::HaChassisGroup, group));
    let members = groups.iter().flat_map(|group| members(replica, *group));
    let is_named = |uuid: &Uuid| {
        let row = replica.row(Table::HaChassis.name(), *uuid);
        row.is_some_and(|row| row.text("chassis_name") == Some(chassis))
    };
    members.filter(is_named).collect()
}

/// The chassis in a group.
fn members(replica: &Replica, group: Uuid) -> Vec<Uuid> {
    references(replica, Table::HaChassisGroup, group, "ha_chassis")
}

/// What a column of a row refers to.
fn references(replica: &Replica, table: Table, uuid: Uuid, column: &str) -> Vec<Uuid> {
    let Some(row) = replica.row(table.name(), uuid) else { return Vec::new() };
    let set = row.get(column).as_set().into_iter().flatten();
    set.filter_map(ovsdb::value::Atom::as_uuid).collect()
}

/// The row that shows by its token who has written the unit last.
#[must_use]
pub fn anchor(mark: Mark) -> Option<RowName> {
    Some(match Unit::of(mark.kind)? {
        Unit::Network => nb::switch(mark.id),
        Unit::Subnet => nb::dhcp_options(mark.id),
        Unit::Port => nb::port(mark.id),
        Unit::SecurityGroup => nb::port_group(mark.id),
        Unit::AddressGroup => nb::address_set(mark.id, IpVersion::V4),
        Unit::NetworkDns => nb::dns(mark.id),
        Unit::Global => nb::drop_group(),
    })
}

/// All rows of a unit that there are.
#[must_use]
pub fn owned(mark: Mark, replica: &Replica) -> Vec<(Table, Uuid)> {
    let mut rows = Vec::new();
    let mut add = |table: Table, uuids: Vec<Uuid>| {
        rows.extend(uuids.into_iter().map(|uuid| (table, uuid)));
    };
    let by_name = |name: &RowName| all(replica, name);
    match Unit::of(mark.kind) {
        Some(Unit::Network) => {
            let switches = by_name(&nb::switch(mark.id));
            for switch in &switches {
                let ports = references(replica, Table::LogicalSwitch, *switch, "ports");
                let localnet = |uuid: &Uuid| is_localnet(replica, *uuid);
                add(Table::LogicalSwitchPort, ports.into_iter().filter(localnet).collect());
            }
            add(Table::LogicalSwitch, switches);
            group(replica, &nb::network_chassis_group(mark.id), &mut add);
        }
        Some(Unit::Subnet) => add(Table::DhcpOptions, by_name(&nb::dhcp_options(mark.id))),
        Some(Unit::Port) => {
            add(Table::LogicalSwitchPort, by_name(&nb::port(mark.id)));
            let options = replica.find(Table::DhcpOptions.name(), BY_PORT, &mark.id.to_string());
            add(Table::DhcpOptions, options.to_vec());
            group(replica, &nb::port_chassis_group(mark.id), &mut add);
        }
        Some(Unit::SecurityGroup) => filters(replica, &nb::port_group(mark.id), &mut add),
        Some(Unit::AddressGroup) => {
            for version in [IpVersion::V4, IpVersion::V6] {
                add(Table::AddressSet, by_name(&nb::address_set(mark.id, version)));
            }
        }
        Some(Unit::NetworkDns) => add(Table::Dns, by_name(&nb::dns(mark.id))),
        Some(Unit::Global) => filters(replica, &nb::drop_group(), &mut add),
        None => {}
    }
    // A row of ours whose key somebody has changed is still ours.
    if let Some(anchor) = anchor(mark) {
        let made = (anchor.table, uuid(&anchor));
        if replica.row(made.0.name(), made.1).is_some() && !rows.contains(&made) {
            rows.push(made);
        }
    }
    rows
}

/// A group of chassis with its members.
fn group(replica: &Replica, name: &RowName, add: &mut impl FnMut(Table, Vec<Uuid>)) {
    let groups = all(replica, name);
    let ours = |uuid: &Uuid| {
        let row = replica.row(Table::HaChassisGroup.name(), *uuid);
        row.is_some_and(|row| unit_of_group(row).is_some())
    };
    let groups: Vec<Uuid> = groups.into_iter().filter(ours).collect();
    for group in &groups {
        add(Table::HaChassis, members(replica, *group));
    }
    add(Table::HaChassisGroup, groups);
}

/// A group of ports with those of its filters that have a key.
fn filters(replica: &Replica, name: &RowName, add: &mut impl FnMut(Table, Vec<Uuid>)) {
    let groups = all(replica, name);
    for group in &groups {
        let acls = references(replica, Table::PortGroup, *group, "acls");
        let has_key = |uuid: &Uuid| {
            let row = replica.row(Table::Acl.name(), *uuid);
            row.is_some_and(|row| Table::Acl.key(|column| row.get(column)).is_some())
        };
        add(Table::Acl, acls.into_iter().filter(has_key).collect());
    }
    add(Table::PortGroup, groups);
}

fn is_localnet(replica: &Replica, uuid: Uuid) -> bool {
    let row = replica.row(Table::LogicalSwitchPort.name(), uuid);
    row.is_some_and(|row| row.text("name").is_some_and(|name| name.starts_with("provnet-")))
}

/// Whose row this is; `None`: nobody's.
#[must_use]
pub fn unit_of(replica: &Replica, table: Table, uuid: Uuid, row: &Row) -> Option<Mark> {
    match table {
        Table::LogicalSwitch => unit_of_switch(row.text("name")?),
        Table::LogicalSwitchPort => {
            let name = row.text("name")?;
            if name.starts_with("provnet-") {
                let switch =
                    replica.referrers(Table::LogicalSwitch.name(), "ports", uuid).next()?;
                let switch = replica.row(Table::LogicalSwitch.name(), switch)?;
                return unit_of_switch(switch.text("name")?);
            }
            let ids = row.get("external_ids").as_map()?;
            let is_neutrons = |key: &ovsdb::value::Atom| {
                key.as_str().is_some_and(|key| key.starts_with("neutron:"))
            };
            ids.keys().any(is_neutrons).then(|| Id::read(name))?.map(|id| Unit::Port.mark(id))
        }
        Table::DhcpOptions => {
            let ids = row.get("external_ids");
            let subnet = Id::read(ids.text_at("subnet_id")?)?;
            match ids.text_at("port_id") {
                Some(port) => Id::read(port).map(|port| Unit::Port.mark(port)),
                None => Some(Unit::Subnet.mark(subnet)),
            }
        }
        Table::PortGroup => unit_of_port_group(row.text("name")?),
        Table::Acl => {
            Table::Acl.key(|column| row.get(column))?;
            let group = replica.referrers(Table::PortGroup.name(), "acls", uuid).next()?;
            unit_of_port_group(replica.row(Table::PortGroup.name(), group)?.text("name")?)
        }
        Table::AddressSet => {
            let name = row.text("name")?;
            let id = name.strip_prefix("ag_")?;
            let id = id.strip_suffix("_ip4").or_else(|| id.strip_suffix("_ip6"))?;
            Id::read(&id.replace('_', "-")).map(|id| Unit::AddressGroup.mark(id))
        }
        Table::Dns => {
            let switch = row.get("external_ids").text_at("ls_name")?;
            Id::read(switch.strip_prefix("neutron-")?).map(|id| Unit::NetworkDns.mark(id))
        }
        Table::HaChassisGroup => unit_of_group(row),
        Table::HaChassis => {
            let groups = Table::HaChassisGroup.name();
            let group = replica.referrers(groups, "ha_chassis", uuid).next()?;
            unit_of_group(replica.row(groups, group)?)
        }
        Table::NbGlobal => Some(Unit::global()),
    }
}

fn unit_of_switch(name: &str) -> Option<Mark> {
    Id::read(name.strip_prefix("neutron-")?).map(|id| Unit::Network.mark(id))
}

fn unit_of_port_group(name: &str) -> Option<Mark> {
    if name == DROP_GROUP {
        return Some(Unit::global());
    }
    let id = Id::read(&name.strip_prefix("pg_")?.replace('_', "-"))?;
    Some(Unit::SecurityGroup.mark(id))
}

/// Groups of routers have names as those of networks have, so the network must be named too.
fn unit_of_group(row: &Row) -> Option<Mark> {
    let name = row.text("name")?;
    if let Some(port) = name.strip_prefix("neutron-extport-") {
        return Id::read(port).map(|id| Unit::Port.mark(id));
    }
    let id = Id::read(name.strip_prefix("neutron-")?)?;
    let network = row.get("external_ids").text_at("neutron:network_id")?;
    (Id::read(network) == Some(id)).then(|| Unit::Network.mark(id))
}
