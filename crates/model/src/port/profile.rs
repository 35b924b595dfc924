//! What `binding:profile` must hold, where it holds something that OVN is told.
//! PARITY: the rules are those of Neutron's OVN driver, whatever the data plane.

use serde_json::Value as Json;
use wire::fault::{self, Result};
use wire::types::Id;
use wire::types::profile::Dict;
use wire::types::words::VnicType;
use wire::value::Value;

use crate::kind::Call;

/// The type of a member.
#[derive(Clone, Copy)]
enum Member {
    Text,
    MaybeText,
    Number,
}

/// Members that come together.
struct Together {
    /// For cards of this kind; `None`: for all.
    vnic_type: Option<VnicType>,
    /// For cards that can do this, where it is said what they can do.
    capability: Option<&'static str>,
    members: &'static [(&'static str, Member)],
}

static TOGETHER: [Together; 4] = [
    Together {
        vnic_type: None,
        capability: None,
        members: &[("parent_name", Member::Text), ("tag", Member::Number)],
    },
    Together {
        vnic_type: None,
        capability: None,
        members: &[("vtep-physical-switch", Member::Text), ("vtep-logical-switch", Member::Text)],
    },
    Together {
        vnic_type: Some(VnicType::Direct),
        capability: Some("switchdev"),
        members: &[
            ("pci_vendor_info", Member::Text),
            ("pci_slot", Member::Text),
            ("physical_network", Member::MaybeText),
        ],
    },
    Together {
        vnic_type: Some(VnicType::RemoteManaged),
        capability: None,
        members: &[
            ("pci_vendor_info", Member::Text),
            ("pci_slot", Member::Text),
            ("physical_network", Member::MaybeText),
            ("card_serial_number", Member::Text),
            ("pf_mac_address", Member::Text),
            ("vf_num", Member::Number),
        ],
    },
];

impl Member {
    fn accepts(self, value: &Json) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::MaybeText => value.is_string() || value.is_null(),
            Self::Number => value.is_i64() || value.is_u64(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::MaybeText => "a text or null",
            Self::Number => "a whole number",
        }
    }
}

/// Refuses a profile that cannot be made out.
///
/// # Errors
/// `InvalidInput`; `PortNotFound` for a `parent_name` that is no port.
pub async fn check(call: &Call<'_>, vnic_type: VnicType, profile: &Dict) -> Result<()> {
    if profile.is_empty() {
        return Ok(());
    }
    let Some(members) = shape(vnic_type, profile)? else { return Ok(()) };
    if !members.iter().any(|(name, _)| *name == "parent_name") {
        return Ok(());
    }
    let parent = profile.get("parent_name").and_then(Json::as_str).unwrap_or_default();
    let sql = "SELECT id FROM ports WHERE id = ?";
    let key = Id::read(parent).map(|id| Value::text(id.to_string()));
    let found = match key {
        Some(key) => call.tx.rows(sql, &[key]).await?,
        None => Vec::new(),
    };
    if found.is_empty() { Err(fault::port_not_found(parent)) } else { Ok(()) }
}

/// The members that the profile has together; `None`: none that mean something.
fn shape(vnic_type: VnicType, profile: &Dict) -> Result<Option<&'static [(&'static str, Member)]>> {
    let empty = Vec::new();
    let capabilities = match profile.get("capabilities") {
        None => &empty,
        Some(Json::Array(capabilities)) => capabilities,
        Some(_) => {
            return Err(fault::invalid_input(
                "'capabilities' in 'binding:profile' must be a list.",
            ));
        }
    };
    let can = |capability: &str| capabilities.iter().any(|one| one.as_str() == Some(capability));
    let is_meant = |together: &&Together| {
        let of_kind = together.vnic_type.is_none_or(|kind| kind == vnic_type);
        let able = together.capability.is_none_or(|one| capabilities.is_empty() || can(one));
        of_kind && able && together.members.iter().any(|(name, _)| profile.get(name).is_some())
    };
    let Some(together) = TOGETHER.iter().find(is_meant) else { return Ok(None) };
    for (name, member) in together.members {
        let Some(value) = profile.get(name) else {
            let names: Vec<&str> = together.members.iter().map(|(name, _)| *name).collect();
            return Err(fault::invalid_input(format!(
                "'binding:profile' has no '{name}'; these come together: {}.",
                names.join(", ")
            )));
        };
        if !member.accepts(value) {
            return Err(fault::invalid_input(format!(
                "'{name}' in 'binding:profile' must be {}.",
                member.name()
            )));
        }
    }
    let tag = profile.get("tag").and_then(Json::as_i64).unwrap_or(0);
    let is_tag = |(name, _): &(&str, Member)| *name == "tag";
    if together.members.iter().any(is_tag) && !(0..=4095).contains(&tag) {
        return Err(fault::invalid_input(format!(
            "'tag' in 'binding:profile' must be a number from 0 to 4095, not {tag}."
        )));
    }
    Ok(Some(together.members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn meant(vnic_type: VnicType, profile: Json) -> std::result::Result<bool, &'static str> {
        let Json::Object(members) = profile else { panic!("an object") };
        match shape(vnic_type, &Dict(members)) {
            Ok(members) => Ok(members.is_some()),
            Err(error) => Err(error.fault().unwrap().kind),
        }
    }

    #[test]
    fn members_that_come_together_are_complete_and_of_their_types() {
        let (normal, direct) = (VnicType::Normal, VnicType::Direct);
        let refused = Err("InvalidInput");
        for (vnic_type, profile, outcome) in [
            (normal, json!({"migrating_to": "h2"}), Ok(false)),
            (normal, json!({"parent_name": "p", "tag": 4095}), Ok(true)),
            (normal, json!({"parent_name": "p"}), refused),
            (normal, json!({"parent_name": "p", "tag": "1"}), refused),
            (normal, json!({"parent_name": "p", "tag": 4096}), refused),
            (normal, json!({"capabilities": "switchdev"}), refused),
            (normal, json!({"pci_slot": 7}), Ok(false)),
            (direct, json!({"pci_slot": "a"}), refused),
            (direct, json!({"pci_slot": "a", "capabilities": ["other"]}), Ok(false)),
            (
                direct,
                json!({"pci_slot": "a", "pci_vendor_info": "b", "physical_network": null}),
                Ok(true),
            ),
            (VnicType::RemoteManaged, json!({"card_serial_number": "x"}), refused),
        ] {
            assert_eq!(meant(vnic_type, profile.clone()), outcome, "{profile}");
        }
    }
}
