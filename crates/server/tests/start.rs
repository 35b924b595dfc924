//! The program as a person starts it: what it makes, prints, refuses, and how it stops.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod process;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use process::{Program, get, get_tls, nucleon, request};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The word after `key` in a text.
fn after<'a>(text: &'a str, key: &str) -> &'a str {
    text.split_once(key).unwrap().1.split_whitespace().next().unwrap()
}

#[test]
fn the_first_start_makes_a_private_database_and_prints_how_to_use_it() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &[]);
    let folder = home.path().join("nucleon");
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("nucleon.admin-token")), 0o600);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let said = program.said();
    assert!(said.contains("auth_type: admin_token"), "{said}");
    assert_eq!(after(&said, "endpoint: "), program.url());
    let token = after(&said, "token: ").to_owned();
    let file = fs::read_to_string(folder.join("nucleon.admin-token")).unwrap();
    assert_eq!(file.trim(), token);
    let networks = request(program.address(), "/v2.0/networks", &[("X-Auth-Token", &token)]);
    assert_eq!(networks.status, 200, "{}", networks.body);
    assert_eq!(get(program.address(), "/v2.0/networks").status, 401);
    assert!(program.stop().success());

    let again = Program::start(home.path(), &[]);
    assert!(!again.said().contains(&token), "the token is shown once");
    assert!(again.said().contains("nucleon.admin-token"), "and it is said where it is");
    let networks = request(again.address(), "/v2.0/networks", &[("X-Auth-Token", &token)]);
    assert_eq!(networks.status, 200);
    again.stop();
}

#[test]
fn the_built_in_tokens_answer_for_the_projects_that_clients_look_up() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &[]);
    let said = program.said();
    let token = after(&said, "token: ");
    assert_eq!(after(&said, "identity_endpoint_override: "), format!("{}/v3", program.url()));
    let version = get(program.address(), "/v3");
    assert!(version.status == 200 && version.body.contains("v3.14"), "{}", version.body);
    for path in ["/v3/projects/demo", "/v3/projects?name=demo"] {
        assert_eq!(get(program.address(), path).status, 401);
        let answer = request(program.address(), path, &[("X-Auth-Token", token)]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains(r#""id":"demo""#), "{path}: {}", answer.body);
    }
    let other = ["token", "create", "--project", "other", "--role", "member"];
    let other = String::from_utf8(nucleon(home.path(), &other).stdout).unwrap();
    let other = other.split_whitespace().find(|word| word.starts_with("nucleon-")).unwrap();
    let see = |path: &str| request(program.address(), path, &[("X-Auth-Token", other)]);
    assert_eq!(see("/v3/projects/other").status, 200);
    assert_eq!(see("/v3/projects/demo").status, 404, "it is another's");
    assert!(!see("/v3/projects?name=demo").body.contains("demo"));
    program.stop();

    let headers = Program::start(home.path(), &["--auth", "none"]);
    assert_eq!(get(headers.address(), "/v3").status, 404, "another is asked for identities");
    headers.stop();
}

#[test]
fn the_log_holds_no_token_at_any_level() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--log-level", "trace", "--log-requests"]);
    let token = after(&program.said(), "token: ").to_owned();
    let path = "/v2.0/networks?name=hidden-in-the-query";
    for given in [token.as_str(), "a-wrong-token-that-is-a-secret-too"] {
        request(program.address(), path, &[("X-Auth-Token", given)]);
    }
    let log = program.stop_and_read_log();
    assert!(log.contains("/v2.0/networks"), "requests are logged: {log}");
    for secret in [token.as_str(), "a-wrong-token", "hidden-in-the-query"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn each_line_of_a_json_log_is_an_object_and_a_request_has_its_id() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--log-format", "json", "--log-requests"]);
    get(program.address(), "/v2.0/networks");
    let log = program.stop_and_read_log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    let id = |line: &serde_json::Value| line["request_id"].as_str().map(str::to_owned);
    let asked = lines.iter().find(|line| line.to_string().contains("/v2.0/networks")).unwrap();
    assert!(id(asked).is_some_and(|id| id.starts_with("req-")), "{asked}");
}

#[test]
fn health_is_for_everybody_and_metrics_are_for_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &[]);
    let health = get(program.address(), "/healthcheck");
    assert_eq!((health.status, health.body.as_str()), (200, "OK"));
    get(program.address(), "/v2.0/networks");
    let metrics = get(program.address(), "/metrics");
    assert_eq!(metrics.status, 200);
    let counted = r#"nucleon_requests_total{method="GET",collection="networks",status="401"} 1"#;
    assert!(metrics.body.contains(counted), "{}", metrics.body);
    assert!(metrics.body.contains("nucleon_sql_commits_total"), "{}", metrics.body);
    let proxied = request(program.address(), "/metrics", &[("X-Forwarded-For", "192.0.2.1")]);
    assert_eq!(proxied.status, 403);
    program.stop();
}

#[test]
fn without_authentication_the_headers_say_who_asks() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["--auth", "none", "--database", "sqlite::memory:"];
    let program = Program::start(home.path(), &arguments);
    assert_eq!(get(program.address(), "/v2.0/networks").status, 200);
    assert!(!program.said().contains("token:"));
    assert!(!home.path().join("nucleon").exists(), "nothing is written");
    program.stop();
}

#[test]
fn what_is_not_safe_is_refused_before_anything_is_made() {
    let home = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["--auth", "none", "--listen", "0.0.0.0:0"], "loopback"),
        (&["--auth", "none", "--allow-plaintext", "--listen", "[::]:0"], "loopback"),
        (&["--listen", "0.0.0.0:0"], "unencrypted"),
        (&["--auth", "keystone"], "--keystone-url"),
        (&["--auth", "keystone", "--keystone-url", "http://127.0.0.1:1/v3"], "password"),
        (&["--tls-cert", "/nonexistent"], "--tls-key"),
        (&["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], "/nonexistent"),
        (&["--policy-file", "/nonexistent"], "/nonexistent"),
        (&["--database", "oracle:x"], "database"),
        (&["--listen", "nonsense"], "--listen"),
        (&["--config", "/nonexistent"], "/nonexistent"),
    ];
    for (arguments, wanted) in cases {
        let output = nucleon(home.path(), &[&["serve"], *arguments].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(told.contains(wanted), "{arguments:?}: {told}");
    }
    assert!(!home.path().join("nucleon/nucleon.db").exists());
}

#[test]
fn a_port_that_is_taken_is_said_so() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = nucleon(home.path(), &["serve", "--listen", &address]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}

#[test]
fn an_idle_connection_does_not_hold_up_the_stop() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--auth", "none"]);
    let _silent = std::net::TcpStream::connect(program.address()).unwrap();
    let mut kept = std::net::TcpStream::connect(program.address()).unwrap();
    process::send(&mut kept, "/healthcheck", &[("Connection", "keep-alive")]);
    let started = Instant::now();
    assert!(program.stop().success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn beyond_the_limit_connections_wait_for_their_turn() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--auth", "none", "--connections-max", "1"]);
    let mut first = std::net::TcpStream::connect(program.address()).unwrap();
    process::send(&mut first, "/healthcheck", &[]);
    let mut byte = [0; 1];
    first.read_exact(&mut byte).unwrap();
    let address = program.address();
    let second = std::thread::spawn(move || get(address, "/healthcheck").status);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!second.is_finished(), "the second connection is served beside the first");
    drop(first);
    assert_eq!(second.join().unwrap(), 200);
    program.stop();
}

#[test]
fn a_huge_head_is_refused_and_the_server_lives() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--auth", "none"]);
    let huge = format!("GET /healthcheck HTTP/1.1\r\nX-Filler: {}\r\n\r\n", "a".repeat(1_000_000));
    let mut stream = std::net::TcpStream::connect(program.address()).unwrap();
    // It may be cut off while it still speaks, and then not even hear why.
    let _ = stream.write_all(huge.as_bytes());
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 431"), "{reply}");
    assert_eq!(get(program.address(), "/healthcheck").status, 200);
    program.stop();
}

#[test]
fn a_stop_finishes_what_is_in_flight() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--auth", "none"]);
    let body = r#"{"network": {"name": "slowly sent"}}"#;
    let mut upload = process::Upload::begin(program.address(), "/v2.0/networks", body);
    program.terminate();
    std::thread::sleep(Duration::from_millis(300));
    let is_closed = std::net::TcpStream::connect(program.address()).is_err();
    assert!(is_closed, "nobody new is let in");
    let reply = upload.finish();
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert!(program.wait().success());
}

#[test]
fn tls_is_1_3_and_its_certificate_is_exchanged_while_serving() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = (home.path().join("c.pem"), home.path().join("k.pem"));
    let make = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().to_vec()
    };
    let first = make();
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let arguments = ["--auth", "none", "--tls-cert", paths[0], "--tls-key", paths[1]];
    let program = Program::start(home.path(), &arguments);
    assert!(program.url().starts_with("https://"));
    let v13 = &rustls::version::TLS13;
    let (reply, shown) = get_tls(program.address(), "/v2.0/", v13).unwrap();
    assert_eq!((reply.status, shown), (200, first));
    assert!(reply.body.contains("https://"), "links are encrypted too: {}", reply.body);
    assert!(get_tls(program.address(), "/", &rustls::version::TLS12).is_err());

    let second = make();
    program.hang_up();
    let until = Instant::now() + Duration::from_secs(10);
    while get_tls(program.address(), "/healthcheck", v13).unwrap().1 != second {
        assert!(Instant::now() < until, "the certificate was not exchanged");
        std::thread::sleep(Duration::from_millis(20));
    }
    program.stop();
}

#[test]
fn tls_1_2_is_spoken_where_it_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = (home.path().join("c.pem"), home.path().join("k.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let arguments = ["--auth", "none", "--tls-1-2", "--tls-cert", paths[0], "--tls-key", paths[1]];
    let program = Program::start(home.path(), &arguments);
    let (reply, _) = get_tls(program.address(), "/healthcheck", &rustls::version::TLS12).unwrap();
    assert_eq!(reply.status, 200);
    program.stop();
}

#[test]
fn tokens_are_made_used_and_revoked() {
    let home = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = nucleon(home.path(), arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    };
    let create = ["token", "create", "--project", "p1", "--name", "for tests", "--role", "reader"];
    let token = said(&create).trim().to_owned();
    let list = said(&["token", "list"]);
    assert!(list.contains("for tests") && list.contains("p1"), "{list}");
    assert!(!list.contains(&token));
    let program = Program::start(home.path(), &[]);
    let ask = || request(program.address(), "/v2.0/networks", &[("X-Auth-Token", &token)]).status;
    assert_eq!(ask(), 200);
    let id = list.split_whitespace().next().unwrap();
    said(&["token", "revoke", id]);
    let until = Instant::now() + Duration::from_secs(10);
    while ask() != 401 {
        assert!(Instant::now() < until, "the token still works");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!nucleon(home.path(), &["token", "revoke", id]).status.success());
    assert!(said(&["token", "list"]).contains("revoked"));
    program.stop();
}

#[test]
fn the_database_of_a_first_start_is_sound() {
    let home = tempfile::tempdir().unwrap();
    let nothing = nucleon(home.path(), &["db", "check"]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is no database"));
    assert!(!home.path().join("nucleon").exists());
    assert!(nucleon(home.path(), &["db", "migrate"]).status.success());
    let output = nucleon(home.path(), &["db", "check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn what_is_wrong_with_an_option_is_said_once_with_what_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("nucleon.toml");
    fs::write(&file, "[quota]\nprt = 3\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, name) in [
        (["--quota", "prt=3"], "--quota"),
        (["--vlan-ranges", "public:200:100"], "from 1 to 4094"),
        (["--config", file], file),
        (["--database", "postgres://127.0.0.1:1/none"], "cannot be reached"),
    ] {
        let begin = ["serve", "--listen", "127.0.0.1:0"];
        let output = nucleon(home.path(), &[&begin, &arguments[..]].concat());
        assert!(!output.status.success(), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let lines = said.lines().filter(|line| !line.contains("ERROR"));
        let problems: Vec<&str> = lines.filter(|line| line.contains(name)).collect();
        assert_eq!(problems.len(), 1, "{said}");
        let wrong = arguments[1].split_once('=').map_or("", |(name, _)| name);
        assert!(said.matches("invalid value").count() <= 1 && said.contains(wrong), "{said}");
        assert!(!said.contains("HTTPService"), "{said}");
    }
}

#[test]
fn the_policy_is_shown_and_checked() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("policy.yaml");
    fs::write(&file, "get_network: role:auditor\n").unwrap();
    let path = file.to_str().unwrap();
    let show = nucleon(home.path(), &["policy", "show", "--policy-file", path, "get_network"]);
    let shown = String::from_utf8(show.stdout).unwrap();
    assert!(shown.contains(r#""get_network": "role:auditor""#), "{shown}");
    fs::write(&file, "get_network: 'role:auditor and ('\n").unwrap();
    let check = nucleon(home.path(), &["policy", "check", "--policy-file", path]);
    assert!(!check.status.success());
    assert!(String::from_utf8_lossy(&check.stderr).contains("get_network"));
}

#[test]
fn every_subcommand_has_help_and_a_version() {
    let home = tempfile::tempdir().unwrap();
    let subcommands: &[&[&str]] = &[
        &["--help"],
        &["--version"],
        &["version"],
        &["serve", "--help"],
        &["db", "check", "--help"],
        &["policy", "show", "--help"],
        &["token", "create", "--help"],
    ];
    for arguments in subcommands {
        let output = nucleon(home.path(), arguments);
        assert!(output.status.success(), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}
