//! Our answers against those of the real Neutron engine, recorded by
//! `tests/reference/record_policy.py`. The callers and targets are the ones of that script.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use policy::check::Target;
use policy::credentials::{Credentials, Scope};
use policy::default_rule::DefaultRule;
use policy::defaults::DEFAULTS;
use policy::enforcer::Enforcer;
use serde_json::Value;
use std::borrow::Cow;

const MATRIX: &str = include_str!("../../../tests/reference/policy_matrix.txt");
const LANGUAGE: &str = include_str!("../../../tests/reference/policy_language.txt");
const POLICIES: &str = include_str!("../../../tests/reference/policies.json");

/// Attributes as a caller of this crate would offer them.
struct Attributes(Vec<(&'static str, &'static str)>);

impl Target for Attributes {
    fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        let found = self.0.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| Cow::Borrowed(*value))
    }
}

/// A port or subnet, seen from its network: what a look-up of `network_id` would find.
fn on_network(owner: &'static str, shared: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("network:project_id", owner), ("network:shared", shared)]
}

fn matrix_target(name: &str) -> Attributes {
    let owner = if name.starts_with("own") && !name.ends_with("of_other") && name != "own_parent" {
        "p-own"
    } else {
        "p-other"
    };
    let mut attributes = vec![("project_id", owner)];
    attributes.extend(match name {
        "own" | "other" => vec![],
        "other_on_own_network" => on_network("p-own", "False"),
        "own_on_other_network" => on_network("p-other", "False"),
        "other_on_shared_network" => on_network("p-other", "True"),
        "other_shared" => [vec![("shared", "True")], on_network("p-other", "False")].concat(),
        "other_not_shared" => [vec![("shared", "False")], on_network("p-other", "True")].concat(),
        "other_external" => {
            [vec![("router:external", "True")], on_network("p-other", "False")].concat()
        }
        "own_group_of_other" => vec![("security_group:project_id", "p-own")],
        "other_group" => {
            vec![("security_group:project_id", "p-other"), ("belongs_to_default_sg", "True")]
        }
        "own_parent" => vec![("ext_parent:project_id", "p-own")],
        "other_parent" => vec![("ext_parent:project_id", "p-other")],
        "own_network_port" => {
            [vec![("device_owner", "network:dhcp")], on_network("p-own", "False")].concat()
        }
        "own_compute_port" => {
            [vec![("device_owner", "compute:nova")], on_network("p-other", "False")].concat()
        }
        "own_rbac_to_all" => vec![("target_tenant", "*"), ("target_project", "*")],
        "own_rbac_to_one" => vec![("target_tenant", "x"), ("target_project", "x")],
        _ => panic!("unknown target {name}"),
    });
    Attributes(attributes)
}

fn language_target(name: &str) -> Attributes {
    Attributes(match name {
        "own_network" => vec![
            ("project_id", "p-own"),
            ("user_id", "u-1"),
            ("shared", "False"),
            ("router:external", "False"),
            ("name", "net-1"),
            ("description", "None"),
            ("mtu", "1500"),
            ("wanted_role", "member"),
            ("user_prefix", "u"),
            ("dash", "-"),
            ("limit", "-1"),
            ("percent", "100%"),
        ],
        "shared_network" => vec![
            ("project_id", "p-other"),
            ("user_id", "u-2"),
            ("shared", "True"),
            ("router:external", "True"),
            ("name", ""),
            ("description", "x"),
            ("mtu", "9000"),
            ("wanted_role", "Admin"),
            ("domain_id", "d-1"),
            ("user_prefix", "v"),
            ("dash", "+"),
        ],
        "port" => [
            vec![("project_id", "p-other"), ("device_owner", "network:dhcp")],
            vec![("security_group:project_id", "p-own")],
            on_network("p-own", "False"),
        ]
        .concat(),
        "shared_port" => [
            vec![("project_id", "p-own"), ("device_owner", "compute:nova")],
            vec![("security_group:project_id", "p-other")],
            on_network("p-other", "True"),
        ]
        .concat(),
        "nothing" => vec![],
        _ => panic!("unknown target {name}"),
    })
}

/// Roles and service roles of the caller.
fn roles(caller: &str) -> (Vec<String>, Vec<String>) {
    let (roles, service): (&[&str], &[&str]) = match caller {
        "none" => (&[], &[]),
        "reader" | "system_reader" => (&["reader"], &[]),
        "member" => (&["member", "reader"], &[]),
        "manager" => (&["manager", "member", "reader"], &[]),
        "admin" | "system_admin" | "domain_admin" => {
            (&["admin", "manager", "member", "reader"], &[])
        }
        "upper_case_member" => (&["Member", "READER"], &[]),
        "service" => (&["service"], &[]),
        "member_through_service" => (&["member", "reader"], &["service"]),
        "advsvc" => (&["advsvc"], &[]),
        "integrator" => (&["data_plane_integrator", "member", "reader"], &[]),
        _ => panic!("unknown caller {caller}"),
    };
    let owned = |list: &[&str]| list.iter().map(|role| (*role).to_owned()).collect();
    (owned(roles), owned(service))
}

fn credentials<'a>(caller: &str, roles: &'a (Vec<String>, Vec<String>)) -> Credentials<'a> {
    let is_system = caller.starts_with("system");
    let is_domain = caller.starts_with("domain");
    Credentials {
        roles: &roles.0,
        service_roles: &roles.1,
        user_id: "u-1",
        project_id: if is_system || is_domain { "" } else { "p-own" },
        domain_id: is_domain.then_some("d-1"),
        system_scope: is_system.then_some("all"),
        is_admin: roles.0.iter().any(|role| role == "admin"),
        ..Credentials::default()
    }
}

/// The words after `# label: `.
fn header<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(label));
    line.unwrap().split_whitespace().collect()
}

#[test]
fn every_default_rule_answers_every_caller_as_neutron_does() {
    let enforcer = Enforcer::new(DEFAULTS, None).unwrap();
    let targets: Vec<_> =
        header(MATRIX, "targets:").into_iter().map(|name| (name, matrix_target(name))).collect();
    let (mut rules, mut rows, mut compared) = (Vec::new(), 0, 0);
    for line in MATRIX.lines().filter(|line| !line.starts_with('#')) {
        let Some(row) = line.strip_prefix("  ") else {
            if rows > 0 {
                (rules, rows) = (Vec::new(), 0);
            }
            rules.push(line);
            continue;
        };
        rows += 1;
        let (caller, verdicts) = row.split_once(' ').unwrap();
        let roles = roles(caller);
        let who = credentials(caller, &roles);
        let verdicts = verdicts.trim();
        assert_eq!(verdicts.len(), targets.len());
        for rule in &rules {
            for ((name, target), verdict) in targets.iter().zip(verdicts.chars()) {
                let ours = enforcer.check(rule, &who, target);
                assert_eq!(ours, verdict == '+', "{rule} by {caller} on {name}: {verdict}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 372 * 13 * 16);
}

#[test]
fn random_expressions_mean_what_they_mean_to_oslo_policy() {
    let callers = header(LANGUAGE, "callers:");
    let targets: Vec<_> = header(LANGUAGE, "targets:")
        .into_iter()
        .map(|name| (name, language_target(name)))
        .collect();
    let mut compared = 0;
    for line in LANGUAGE.lines().filter(|line| !line.starts_with('#')) {
        let (rule, verdicts) = line.split_once('\t').unwrap();
        let loaded = Enforcer::new(DEFAULTS, Some(&format!("{{\"asked\": {rule}}}")));
        if verdicts == "syntax" {
            assert!(loaded.is_err(), "{rule}");
            continue;
        }
        let enforcer = loaded.unwrap_or_else(|error| panic!("{rule}: {error}"));
        let mut verdicts = verdicts.chars();
        for caller in &callers {
            let roles = roles(caller);
            let who = credentials(caller, &roles);
            for ((name, target), verdict) in targets.iter().zip(&mut verdicts) {
                let ours = enforcer.check("asked", &who, target);
                assert_eq!(ours, verdict == '+', "{rule} by {caller} on {name}: {verdict}");
                compared += 1;
            }
        }
        assert_eq!(verdicts.next(), None);
    }
    assert!(compared > 600 * 30);
}

#[test]
fn the_table_of_defaults_is_neutrons() {
    let theirs: Value = serde_json::from_str(POLICIES).unwrap();
    let scope = |name: &Value| match name.as_str().unwrap() {
        "project" => Scope::Project,
        "system" => Scope::System,
        "domain" => Scope::Domain,
        other => panic!("unknown scope {other}"),
    };
    let theirs: Vec<_> = theirs.as_array().unwrap().iter().collect();
    assert_eq!(DEFAULTS.len(), theirs.len());
    for (DefaultRule { name, check, scopes }, rule) in DEFAULTS.iter().zip(theirs) {
        let wanted: Vec<Scope> = rule["scope_types"]
            .as_array()
            .map(|all| all.iter().map(scope).collect())
            .unwrap_or_default();
        assert_eq!(
            (*name, *check),
            (rule["name"].as_str().unwrap(), rule["check"].as_str().unwrap())
        );
        assert_eq!(*scopes, wanted, "{name}");
    }
}
