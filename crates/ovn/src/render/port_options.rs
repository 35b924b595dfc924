//! What part a port plays in its switch, and what it asks of the chassis that it is on.

use std::collections::BTreeMap;

use model::snapshot::PortSnapshot;
use serde_json::Value as Json;
use wire::types::words::VnicType;

use super::encode;
use crate::facts::Facts;

/// The part that a port plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A machine's, or any other's.
    Plain,
    /// On every chassis: the metadata service, or the checks of a load balancer.
    Local,
    /// An address that several ports take turns to have.
    Virtual,
    /// A card that is not plugged into the virtual switch.
    External,
    /// A gateway in hardware.
    Vtep,
}

impl Part {
    /// OVN's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Local => "localport",
            Self::Virtual => "virtual",
            Self::External => "external",
            Self::Vtep => "vtep",
        }
    }
}

fn told<'a>(port: &'a PortSnapshot, key: &str) -> Option<&'a str> {
    port.profile.get(key).and_then(Json::as_str)
}

/// The part that a port plays.
pub fn part(port: &PortSnapshot) -> Part {
    if vtep(port).is_some() {
        Part::Vtep
    } else if port.is_external() {
        Part::External
    } else if is_local(port) {
        Part::Local
    } else if shared(port).is_some() {
        Part::Virtual
    } else {
        Part::Plain
    }
}

/// True for ports that each chassis serves by itself.
fn is_local(port: &PortSnapshot) -> bool {
    let metadata =
        port.device_owner == "network:distributed" && port.device_id.starts_with("ovnmeta-");
    metadata || port.device_owner == "ovn-lb-hm:distributed"
}

/// The switch and the logical switch of a gateway in hardware.
fn vtep(port: &PortSnapshot) -> Option<(&str, &str)> {
    Some((told(port, "vtep-physical-switch")?, told(port, "vtep-logical-switch")?))
}

/// The first address that other ports may use, with those ports. A port that is plugged in itself
/// is no address that others take turns to have.
fn shared(port: &PortSnapshot) -> Option<(String, String)> {
    let fixed_ip = port.fixed_ips.iter().find(|one| !one.shared_with.is_empty())?;
    if port.vif_type != "unbound" {
        return None;
    }
    let parents: Vec<String> = fixed_ip.shared_with.iter().map(ToString::to_string).collect();
    Some((fixed_ip.ip_address.to_string(), parents.join(",")))
}

/// The port that this one is inside of, and the VLAN tag by which it is told apart there.
pub fn nested(port: &PortSnapshot) -> Option<(&str, i64)> {
    let tag = port.profile.get("tag").and_then(Json::as_i64)?;
    let parent = told(port, "parent_name").filter(|name| !name.contains('\0'))?;
    (0..=4095).contains(&tag).then_some((parent, tag))
}

/// The MAC address of the physical function and the number of the virtual one, on a card that is
/// managed by its own processor.
fn representor(port: &PortSnapshot) -> Option<(&str, i64)> {
    if port.vnic_type != VnicType::RemoteManaged {
        return None;
    }
    Some((told(port, "pf_mac_address")?, port.profile.get("vf_num").and_then(Json::as_i64)?))
}

/// True where the MTU is said in the port's `external_ids`.
pub fn needs_mtu(port: &PortSnapshot, part: Part) -> bool {
    part == Part::Local || (part != Part::External && representor(port).is_some())
}

/// `Logical_Switch_Port.options`.
pub fn options(port: &PortSnapshot, part: Part, facts: &Facts) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut put = |name: &str, value: String| options.insert(name.to_owned(), value);
    if let Some((physical, logical)) = vtep(port) {
        put("vtep-physical-switch", physical.to_owned());
        put("vtep-logical-switch", logical.to_owned());
    } else if let Some((address, parents)) = shared(port) {
        put("virtual-ip", address);
        put("virtual-parents", parents);
    }
    if part == Part::External {
        return options;
    }
    if let Some((mac, function)) = representor(port) {
        put("vif-plug-type", "representor".to_owned());
        put("vif-plug-mtu-request", port.mtu.to_string());
        put("vif-plug:representor:pf-mac", mac.to_owned());
        put("vif-plug:representor:vf-num", function.to_string());
    }
    // A virtual port is wherever the address was last heard from.
    let Some(chassis) = requested_chassis(port, facts).filter(|_| part != Part::Virtual) else {
        return options;
    };
    match told(port, "migrating_to") {
        Some(to) if !to.is_empty() => {
            put("requested-chassis", format!("{chassis},{}", encode::host(to)));
            let strategy = &facts.options.live_migration_activation_strategy;
            // Cards in user space would wait for ever for the packet that ends the waiting.
            if port.vif_type != "vhostuser" && !strategy.is_empty() {
                put("activation-strategy", strategy.clone());
            }
        }
        _ => {
            put("requested-chassis", chassis);
        }
    }
    options
}

/// The host on whose chassis the port is to be.
fn requested_chassis(port: &PortSnapshot, facts: &Facts) -> Option<String> {
    let host = if port.vnic_type == VnicType::RemoteManaged {
        let serial = told(port, "card_serial_number")?;
        let has_card =
            |one: &&crate::facts::Chassis| one.card_serial_number.as_deref() == Some(serial);
        facts.chassis.iter().find(has_card)?.hostname.as_str()
    } else {
        port.host.as_str()
    };
    Some(encode::host(host)).filter(|host| !host.is_empty())
}
