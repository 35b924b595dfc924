//! What a default rule is, and which rules had another name once. The rules are in `defaults`.

use crate::credentials::Scope;

/// A rule that holds unless the operator overrides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRule {
    /// `create_network`, or an alias that other rules refer to.
    pub name: &'static str,
    /// The expression.
    pub check: &'static str,
    /// What the token must be scoped to; empty for any. An override does not change it.
    pub scopes: &'static [Scope],
}

pub(crate) const fn any(name: &'static str, check: &'static str) -> DefaultRule {
    DefaultRule { name, check, scopes: &[] }
}

pub(crate) const fn project(name: &'static str, check: &'static str) -> DefaultRule {
    DefaultRule { name, check, scopes: &[Scope::Project] }
}

/// The new name of a rule that was renamed: `create_networks_tags` is `create_network:tags` now.
/// An override under the old name still counts.
pub(crate) fn renamed(old: &str) -> Option<String> {
    let (verb, collection) = old.strip_suffix("_tags")?.split_once('_')?;
    let (_, kind) = TAGGED.iter().find(|(tagged, _)| *tagged == collection)?;
    matches!(verb, "create" | "get" | "update" | "delete").then(|| format!("{verb}_{kind}:tags"))
}

const TAGGED: &[(&str, &str)] = &[
    ("floatingips", "floatingip"),
    ("networks", "network"),
    ("network_segment_ranges", "network_segment_range"),
    ("ports", "port"),
    ("policies", "policy"),
    ("routers", "router"),
    ("security_groups", "security_group"),
    ("subnets", "subnet"),
    ("subnetpools", "subnetpool"),
    ("trunks", "trunk"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::DEFAULTS;

    #[test]
    fn a_rule_of_tags_is_known_by_its_old_name() {
        assert_eq!(renamed("get_policies_tags").as_deref(), Some("get_policy:tags"));
        assert_eq!(renamed("get_chairs_tags"), None);
        for (collection, _) in TAGGED {
            let new = renamed(&format!("create_{collection}_tags")).unwrap();
            assert!(DEFAULTS.iter().any(|rule| rule.name == new), "{new}");
        }
    }
}
