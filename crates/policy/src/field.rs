//! `field:networks:shared=True`: one attribute of the target against a constant or a pattern.
//! Neutron converts the constant as the attribute would be converted; only booleans matter there.

use crate::check::Target;
use crate::parse::Problem;
use crate::template::canonical_key;
use regex_lite::Regex;

/// A compiled `field:` check.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    attribute: Box<str>,
    /// Asked when the target itself lacks the attribute.
    of_parent: Option<&'static str>,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equals(Box<str>),
    Starts(Box<str>),
    Matches(Regex),
    Never,
}

impl Field {
    /// Reads what stands after `field:`, that is `collection:attribute=value`.
    pub(crate) fn parse(argument: &str) -> Result<Self, Problem> {
        let parts = argument
            .split_once(':')
            .and_then(|(collection, rest)| Some((collection, rest.split_once('=')?)));
        let Some((collection, (attribute, value))) = parts else {
            return Err(format!(
                "\"field:{argument}\" is not \"field:collection:attribute=value\""
            ));
        };
        let is_boolean = BOOLEANS.contains(&(collection, attribute));
        let test = match value.strip_prefix('~') {
            Some(pattern) => pattern_test(pattern)?,
            None if is_boolean => match boolean(value) {
                Some(true) => Test::Equals("True".into()),
                Some(false) => Test::Equals("False".into()),
                None => {
                    return Err(format!(
                        "{attribute} of {collection} is a boolean; \"{value}\" is not one"
                    ));
                }
            },
            // PARITY: what is not known as a boolean stays text, and text never equals a boolean.
            None if matches!(value, "True" | "False") => Test::Never,
            None => Test::Equals(value.into()),
        };
        // PARITY: a target that is no network is asked for the `shared` of its network.
        let of_parent =
            ((collection, attribute) == ("networks", "shared")).then_some("network:shared");
        Ok(Self { attribute: canonical_key(attribute).into(), of_parent, test })
    }

    /// Whether no target can ever pass; worth a warning.
    pub(crate) fn is_hopeless(&self) -> bool {
        matches!(self.test, Test::Never)
    }

    pub(crate) fn holds(&self, target: &dyn Target) -> bool {
        let value =
            target.get(&self.attribute).or_else(|| target.get(self.of_parent.unwrap_or_default()));
        match (value.as_deref(), &self.test) {
            // PARITY: an attribute that is null fails, whatever it is compared with.
            (None | Some("None"), _) | (_, Test::Never) => false,
            (Some(value), Test::Equals(wanted)) => *value == **wanted,
            (Some(value), Test::Starts(prefix)) => value.starts_with(&**prefix),
            (Some(value), Test::Matches(pattern)) => pattern.is_match(value),
        }
    }
}

/// PARITY: a pattern must match from the start of the text, not up to its end.
fn pattern_test(pattern: &str) -> Result<Test, Problem> {
    let plain = pattern.strip_prefix('^').unwrap_or(pattern);
    if !plain.contains(['\\', '.', '^', '$', '*', '+', '?', '{', '}', '[', ']', '|', '(', ')']) {
        return Ok(Test::Starts(plain.into()));
    }
    match Regex::new(&format!("^(?:{pattern})")) {
        Ok(pattern) => Ok(Test::Matches(pattern)),
        Err(error) => Err(format!("\"{pattern}\" is not a pattern that is supported: {error}")),
    }
}

/// The spellings that OpenStack takes for a boolean.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    if is(&["1", "t", "true", "on", "y", "yes"]) {
        Some(true)
    } else if is(&["0", "f", "false", "off", "n", "no"]) {
        Some(false)
    } else {
        None
    }
}

/// Every attribute whose value Neutron converts to a boolean, by collection.
const BOOLEANS: &[(&str, &str)] = &[
    ("address_groups", "shared"),
    ("address_scopes", "shared"),
    ("agents", "admin_state_up"),
    ("flavors", "enabled"),
    ("logs", "enabled"),
    ("metering_label_rules", "excluded"),
    ("metering_labels", "shared"),
    ("network_segment_ranges", "default"),
    ("network_segment_ranges", "shared"),
    ("networks", "admin_state_up"),
    ("networks", "is_default"),
    ("networks", "port_security_enabled"),
    ("networks", "qinq"),
    ("networks", "router:external"),
    ("networks", "shared"),
    ("policies", "is_default"),
    ("policies", "shared"),
    ("ports", "admin_state_up"),
    ("ports", "port_security_enabled"),
    ("ports", "propagate_uplink_status"),
    ("ports", "trusted"),
    ("routers", "admin_state_up"),
    ("routers", "enable_default_route_bfd"),
    ("routers", "enable_default_route_ecmp"),
    ("routers", "enable_ndp_proxy"),
    ("routers", "enable_snat"),
    ("routers", "ha"),
    ("rule_types", "all_rules"),
    ("rule_types", "all_supported"),
    ("security_group_rules", "belongs_to_default_sg"),
    ("security_groups", "shared"),
    ("security_groups", "stateful"),
    ("security_groups_default_statefulness", "stateful"),
    ("subnetpools", "is_default"),
    ("subnetpools", "shared"),
    ("subnets", "dns_publish_fixed_ip"),
    ("subnets", "enable_dhcp"),
    ("subnets", "router:external"),
    ("subnets", "shared"),
    ("subnets", "use_default_subnetpool"),
    ("trunks", "admin_state_up"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    struct One(&'static str, &'static str);

    impl Target for One {
        fn get(&self, key: &str) -> Option<Cow<'_, str>> {
            (key == self.0).then_some(Cow::Borrowed(self.1))
        }
    }

    fn holds(argument: &str, attribute: &'static str, value: &'static str) -> bool {
        Field::parse(argument).unwrap().holds(&One(attribute, value))
    }

    #[test]
    fn a_boolean_may_be_written_in_many_ways() {
        for yes in ["True", "true", "1", "yes", "ON"] {
            assert!(holds(&format!("networks:shared={yes}"), "shared", "True"), "{yes}");
            assert!(!holds(&format!("networks:shared={yes}"), "shared", "False"), "{yes}");
        }
        assert!(Field::parse("networks:shared=perhaps").is_err());
    }

    #[test]
    fn a_port_is_shared_when_its_network_is() {
        assert!(holds("networks:shared=True", "network:shared", "True"));
        assert!(!holds("subnets:shared=True", "network:shared", "True"));
    }

    #[test]
    fn a_pattern_matches_from_the_start() {
        assert!(holds("port:device_owner=~^network:", "device_owner", "network:dhcp"));
        assert!(!holds("port:device_owner=~dhcp", "device_owner", "network:dhcp"));
        assert!(holds("port:device_owner=~.*:d[a-h]c", "device_owner", "network:dhcp"));
        assert!(Field::parse("port:device_owner=~(").is_err());
    }

    #[test]
    fn null_equals_nothing() {
        assert!(!holds("networks:name=None", "name", "None"));
        assert!(!holds("port:name=~", "name", "None"));
    }

    #[test]
    fn a_wrong_collection_never_matches_a_boolean() {
        let field = Field::parse("network:shared=True").unwrap();
        assert!(field.is_hopeless());
        assert!(!field.holds(&One("shared", "True")));
    }
}
