//! The program with OVN's databases: it serves without them, brings them in line when they come,
//! and says what differs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code)] // Not every test program needs all of it.
mod process;

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use process::ovsdb::{Database, until};
use process::{Program, ask, get, nucleon};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a metric says now; none if there is no such metric.
fn metric(program: &Program, name: &str) -> Option<f64> {
    let all = get(program.address(), "/metrics").body;
    let of = |line: &str| line.strip_prefix(&format!("nucleon_ovn_{name} "))?.parse().ok();
    all.lines().find_map(of)
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
    until("what waits is counted, and for how long", || {
        metric(&program, "marks_waiting") >= Some(1.0)
            && metric(&program, "oldest_mark_seconds") >= Some(1.0)
    });
    assert_eq!(metric(&program, "northbound_connected"), Some(0.0));

    nb.start();
    sb.start();
    until("the network comes when OVN does", || {
        text(&look("audit")).contains("no difference is left")
    });
    assert!(nb.control(&["ls-list"]).contains("neutron-"));
    until("nothing waits any more", || metric(&program, "marks_waiting") == Some(0.0));
    assert_eq!(metric(&program, "oldest_mark_seconds"), Some(0.0));
    assert_eq!(metric(&program, "northbound_connected"), Some(1.0));
    for counted in ["units_total", "batch_units_count"] {
        assert!(metric(&program, counted) >= Some(1.0), "{counted}");
    }
    let second = json!({"network": {"name": "second"}});
    let (status, _) = ask(program.address(), "POST", "/v2.0/networks", Some(&second)).unwrap();
    assert_eq!(status, 201);
    until("the way from a commit to Northbound is timed", || {
        metric(&program, "commit_to_northbound_seconds_count") >= Some(1.0)
    });

    // Somebody renames it while nobody looks.
    program.stop();
    let named_first = [r#"external_ids:"neutron:network_name"=first"#];
    let find = [&["--bare", "--columns=name", "find", "Logical_Switch"], &named_first[..]].concat();
    let switch = nb.control(&find);
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
    until("what was found is counted", || metric(&program, "drift_total") >= Some(2.0));
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

/// Makes an authority, and of it a certificate for the databases and one for us:
/// `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
fn certify(directory: &Path) {
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (mut params, key) = (named("an authority"), KeyPair::generate().unwrap());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(directory.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);
    for who in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let certificate = named(who).signed_by(&key, &authority).unwrap();
        std::fs::write(directory.join(format!("{who}.pem")), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{who}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn it_speaks_to_ovn_over_tls_with_the_files_of_the_moment() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name).display().to_string();
    certify(home.path());
    let (mut nb, mut sb) = (Database::new(home.path(), "nb"), Database::new(home.path(), "sb"));
    let mut remotes = Vec::new();
    for database in [&mut nb, &mut sb] {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        remotes.push(format!("ssl:127.0.0.1:{port}"));
        database.start_with(&[
            format!("--remote=pssl:{port}:127.0.0.1"),
            format!("--private-key={}", file("server.key")),
            format!("--certificate={}", file("server.pem")),
            format!("--ca-cert={}", file("ca.pem")),
        ]);
    }
    let (ca, own, key) = (file("used-ca.pem"), file("client.pem"), file("client.key"));
    // It begins with an authority that has signed nothing there.
    let foreign = tempfile::tempdir().unwrap();
    certify(foreign.path());
    std::fs::copy(foreign.path().join("ca.pem"), &ca).unwrap();
    let tls = ["--ovn-ca-cert", &ca, "--ovn-certificate", &own, "--ovn-private-key", &key];
    let ovn = ["--ovn-nb", &remotes[0], "--ovn-sb", &remotes[1]];
    let program = Program::start(home.path(), &[&["--auth", "none"], &ovn[..], &tls[..]].concat());
    let body = json!({"network": {"name": "first"}});
    let (status, made) = ask(program.address(), "POST", "/v2.0/networks", Some(&body)).unwrap();
    assert_eq!(status, 201, "{made}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(nb.control(&["ls-list"]).trim(), "", "it wrote to who did not prove who it is");
    std::fs::copy(file("ca.pem"), &ca).unwrap();
    until("the network comes", || nb.control(&["ls-list"]).contains("neutron-"));
    let clear = ["--ovn-nb", &remotes[0], "--ovn-sb", &remotes[1]];
    let refused = nucleon(home.path(), &[&["ovn", "audit"], &clear[..]].concat());
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--ovn-ca-cert"), "{said}");
}
