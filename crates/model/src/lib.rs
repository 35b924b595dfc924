//! What the things of the Networking API mean: one file per kind, and the rules that several share.
//! Not here: HTTP, policy, OVN, database drivers.

pub mod address_group;
pub mod address_scope;
pub mod agent;
pub mod availability_zone;
pub mod backend;
pub mod binding;
pub mod check;
mod computed;
pub mod default_security_group_rule;
pub mod default_statefulness;
pub mod ipam;
pub mod kind;
pub mod network;
pub mod network_ip_availability;
pub mod nova_event;
pub mod port;
pub mod quota;
pub mod quota_limits;
pub mod rbac;
pub mod security_group;
pub mod security_group_rule;
pub mod segment;
pub mod service_provider;
pub mod settings;
pub mod snapshot;
pub mod standard;
pub mod subnet;
pub mod subnetpool;
pub mod tag;
pub mod unit;

use kind::Kind;
use sql::Migration;

/// Every kind of the API, in the order of the documentation. A table of contents, nothing else.
pub static KINDS: &[&dyn Kind] = &[
    &network::Networks,
    &segment::Segments,
    &subnet::Subnets,
    &subnetpool::Subnetpools,
    &port::Ports,
    &address_scope::AddressScopes,
    &security_group::SecurityGroups,
    &security_group_rule::SecurityGroupRules,
    &default_security_group_rule::DefaultSecurityGroupRules,
    &default_statefulness::DefaultStatefulnesses,
    &address_group::AddressGroups,
    &rbac::RbacPolicies,
    &network_ip_availability::NetworkIpAvailabilities,
    &agent::Agents,
    &availability_zone::AvailabilityZones,
    &service_provider::ServiceProviders,
];

/// The schema, step by step. A step that was released is never changed.
pub static MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "networking",
        sql: include_str!("../schema/0001_networking.sql"),
        fill: None,
    },
    Migration {
        number: 2,
        name: "default_rules",
        sql: include_str!("../schema/0002_default_rules.sql"),
        fill: None,
    },
    // The table is `identity`'s; the schema of a database is one list all the same.
    Migration {
        number: 3,
        name: "auth_tokens",
        sql: include_str!("../../identity/schema.sql"),
        fill: None,
    },
    Migration {
        number: 4,
        name: "nova_events",
        sql: include_str!("../schema/0004_nova_events.sql"),
        fill: None,
    },
    Migration {
        number: 5,
        name: "port_address_pairs",
        sql: include_str!("../schema/0005_port_address_pairs.sql"),
        fill: Some(|tx| Box::pin(unit::reads::fill_pairs(tx))),
    },
    Migration {
        number: 6,
        name: "kept_lists",
        sql: "",
        fill: Some(|tx| Box::pin(port::keep_lists(tx))),
    },
];

/// The kind of a collection, by its name in bodies (`security_group_rules`).
pub fn kind(many: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.table().many == many)
}
