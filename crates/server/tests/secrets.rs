//! The log at its most talkative holds no token, no password and nothing of a body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[allow(dead_code, reason = "another test uses the rest")]
mod process;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use process::{Program, nucleon};

/// In every secret below, so that a part of one is found as well.
const MARK: &str = "hush7f3a";

/// Sends a request and reads the reply to its end.
fn ask(program: &Program, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(program.address()).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn the_log_at_trace_level_holds_no_secret_of_any_request() {
    let home = tempfile::tempdir().unwrap();
    let program = Program::start(home.path(), &["--log-level", "trace", "--log-requests"]);
    let said = program.said();
    let token = said.split_once("token: ").unwrap().1.split_whitespace().next().unwrap();
    let right = format!("X-Auth-Token: {token}\r\n");
    let wrong = format!("X-Auth-Token: {MARK}\r\nX-Service-Token: {MARK}-service\r\n");
    let body =
        format!(r#"{{"network": {{"name": "{MARK}-name", "description": "{MARK}-description"}}}}"#);
    let made = ask(&program, "POST", "/v2.0/networks", &right, &body);
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let id = made.split_once(r#""id":""#).unwrap().1.split('"').next().unwrap();
    let port = format!(
        r#"{{"port": {{"network_id": "{id}", "binding:host_id": "h",
            "binding:profile": {{"password": "{MARK}-profile"}}}}}}"#
    );
    // The profile is for services, so it is refused, which is just as well for a log.
    let refused = ask(&program, "POST", "/v2.0/ports", &right, &port);
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let broken = format!(r#"{{"network": {{"{MARK}": "{MARK}""#);
    let refused = format!(r#"{{"network": {{"mtu": "{MARK}"}}}}"#);
    for body in [&broken, &refused, &body] {
        ask(&program, "POST", "/v2.0/networks", &right, body);
        ask(&program, "POST", "/v2.0/networks", &wrong, body);
        ask(&program, "PUT", &format!("/v2.0/networks/{id}"), &right, body);
    }
    ask(&program, "GET", &format!("/v2.0/networks?name={MARK}&nothing={MARK}"), &right, "");
    ask(&program, "GET", &format!("/v2.0/ports?limit={MARK}"), &right, "");
    let log = program.stop_and_read_log();
    assert!(log.contains("/v2.0/networks") && log.contains("POST"), "requests are logged: {log}");
    for secret in [MARK, token] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} is in the log: {line:?}");
    }
}

#[test]
fn a_password_in_a_url_is_never_said() {
    let home = tempfile::tempdir().unwrap();
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://somebody:{MARK}@127.0.0.1:1/nothing");
        for arguments in [
            &["serve", "--listen", "127.0.0.1:0", "--auth", "none", "--log-level", "trace"][..],
            &["db", "check", "--log-level", "trace"][..],
        ] {
            let output = nucleon(home.path(), &[arguments, &["--database", &url]].concat());
            assert!(!output.status.success());
            for said in [&output.stdout, &output.stderr] {
                let said = String::from_utf8_lossy(said);
                assert!(!said.contains(MARK), "{said}");
            }
        }
    }
}
