//! The table of faults beside Neutron's exceptions: type and status are what clients match on.

use serde_json::Value as Json;
use wire::fault::{self, Error};

/// Types that come from the libraries under Neutron, or from modules that the record does not read.
const ELSEWHERE: &[(&str, u16)] = &[
    ("HTTPBadRequest", 400),
    ("HTTPForbidden", 403),
    ("HTTPNotFound", 404),
    ("HTTPMethodNotAllowed", 405),
    ("HTTPRequestEntityTooLarge", 413),
    ("HTTPNotAcceptable", 406),
    ("HTTPServiceUnavailable", 503),
    ("PolicyNotAuthorized", 403),
    ("RevisionNumberConstraintFailed", 412),
];

/// Where we answer with another status on purpose.
const DIFFERENCES: &[(&str, u16, &str)] = &[(
    "SubnetAllocationError",
    409,
    "Neutron's fault map forgets it, so it answers 500; a full pool is a conflict, not our failure.",
)];

#[test]
fn every_fault_has_the_status_that_neutron_gives_its_type() {
    let record = include_str!("../../../../tests/reference/faults.json");
    let record: Json = serde_json::from_str(record).unwrap();
    let wrong: Vec<String> = fault::ALL
        .iter()
        .filter(|known| !ELSEWHERE.contains(known))
        .filter(|(kind, status)| !DIFFERENCES.iter().any(|(k, s, _)| (k, s) == (kind, status)))
        .filter(|(kind, status)| record[kind]["status"] != *status)
        .map(|(kind, status)| format!("{kind} {status}: Neutron has {}", record[kind]["status"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_type_has_one_status_throughout_the_table() {
    for (kind, status) in fault::ALL {
        let other = fault::ALL.iter().find(|(k, s)| k == kind && s != status);
        assert_eq!(other, None, "{kind} {status}");
    }
}

#[test]
fn errors_of_ours_are_nobodys_fault() {
    assert!(Error::internal("disk on fire").fault().is_none());
    assert!(Error::Retry("deadlock").fault().is_none());
    let fault = fault::port_not_found("p1");
    assert_eq!(fault.fault().map(|f| (f.kind, f.status)), Some(("PortNotFound", 404)));
    assert!(fault.to_string().contains("p1"));
}
