//! The program with OVN's databases: it serves without them, brings them in line when they come,
//! and says what differs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code)] // Not every test program needs all of it.
mod process;

use std::process::Output;
use std::time::{Duration, Instant};

use process::ovsdb::{Database, until};
use process::{Program, ask, get, nucleon};
use serde_json::json;

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn it_serves_while_ovn_is_away_and_says_what_differs_until_nothing_does() {
    let home = tempfile::tempdir().unwrap();
    let (mut nb, mut sb) = (Database::new(home.path(), "nb"), Database::new(home.path(), "sb"));
    let (nb_remote, sb_remote) = (nb.remote(), sb.remote());
    let ovn = ["--ovn-nb", &nb_remote, "--ovn-sb", &sb_remote];
    let look = |what: &str| nucleon(home.path(), &[&["ovn", what], &ovn[..]].concat());

    let program = Program::start(home.path(), &[&["--auth", "none"], &ovn[..]].concat());
    let body = json!({"network": {"name": "first"}});
    let begun = Instant::now();
    let (status, made) = ask(program.address(), "POST", "/v2.0/networks", Some(&body)).unwrap();
    assert_eq!(status, 201, "{made}");
    assert!(begun.elapsed() < Duration::from_millis(450), "it waited for who is not there");

    nb.start();
    sb.start();
    until("the network comes when OVN does", || {
        text(&look("audit")).contains("no difference is left")
    });
    assert!(nb.control(&["ls-list"]).contains("neutron-"));
    let metrics = get(program.address(), "/metrics").body;
    assert!(metrics.contains("nucleon_ovn_northbound_connected 1"), "{metrics}");
    assert!(metrics.contains("nucleon_ovn_units_total"), "{metrics}");

    // Somebody renames it while nobody looks.
    program.stop();
    let switch = nb.control(&["--bare", "--columns=name", "find", "Logical_Switch"]);
    let renamed = r#"external_ids:"neutron:network_name"=x"#;
    nb.control(&["set", "Logical_Switch", switch.trim(), renamed]);
    nb.control(&["pg-del", "neutron_pg_drop"]);
    let diff = look("diff");
    assert!(!diff.status.success());
    let said = text(&diff);
    assert!(said.contains(r#""neutron:network_name": "x""#) && said.contains("first"), "{said}");
    assert!(said.contains("Port_Group neutron_pg_drop: is missing"), "{said}");
    assert!(!look("audit").status.success());

    let program = Program::start(home.path(), &[&["--auth", "none"], &ovn[..]].concat());
    until("what differs is mended", || look("diff").status.success());
    assert!(program.stop().success());
}

#[test]
fn looking_at_ovn_without_its_address_says_what_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let output = nucleon(home.path(), &["ovn", "audit"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--ovn-nb"), "{said}");
}
