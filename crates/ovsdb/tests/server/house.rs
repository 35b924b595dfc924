//! Where the tests go: a real `ovsdb-server` or the one in the process, with the database `Zoo`,
//! and a bare connection that speaks JSON without any client of ours.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ovsdb::server::Server;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use uuid::Uuid;

/// Where Debian has the real one.
const REAL: &str = "/usr/sbin/ovsdb-server";

/// A server to test with.
pub enum House {
    Real(Real),
    Ours(Server),
}

/// A real server, a cluster of one, in a directory of its own.
pub struct Real {
    process: Child,
    directory: TempDir,
}

impl House {
    /// The real one, which must be installed: the package `openvswitch-switch` brings it.
    pub async fn real() -> Self {
        assert!(Path::new(REAL).exists(), "{REAL} is not installed (openvswitch-switch)");
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/zoo.ovsschema");
        let created = Command::new("ovsdb-tool")
            .args(["create-cluster", &at("zoo.db")])
            .arg(schema)
            .arg(format!("unix:{}", at("raft.sock")))
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(created.success());
        let process = Command::new(REAL)
            .arg(at("zoo.db"))
            .arg(format!("--remote=punix:{}", at("zoo.sock")))
            .arg(format!("--unixctl={}", at("zoo.ctl")))
            .arg(format!("--log-file={}", at("zoo.log")))
            .args(["-vconsole:off", "-vsyslog:off"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let house = Self::Real(Real { process, directory });
        house.settle().await;
        house
    }

    /// The one in the process.
    pub fn ours() -> Self {
        Self::Ours(Server::start([zoo()]).unwrap())
    }

    /// The socket's path.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Real(real) => real.directory.path().join("zoo.sock"),
            Self::Ours(server) => server.remote().strip_prefix("unix:").unwrap().into(),
        }
    }

    /// A new bare connection.
    pub async fn connect(&self) -> Wire {
        Wire::new(UnixStream::connect(self.path()).await.unwrap())
    }

    /// Until it has elected itself.
    async fn settle(&self) {
        for _ in 0..500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let Ok(stream) = UnixStream::connect(self.path()).await else { continue };
            let mut wire = Wire::new(stream);
            if wire.transact(&[json!({ "op": "comment", "comment": "there" })]).await == json!([{}])
            {
                return;
            }
        }
        panic!("the server does not come up");
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The schema of the tests.
pub fn zoo() -> Json {
    serde_json::from_str(include_str!("zoo.ovsschema")).unwrap()
}

/// The small UUIDs of the tests.
pub fn uuid(number: u128) -> Json {
    json!(["uuid", Uuid::from_u128(number).to_string()])
}

/// The same as a text.
pub fn name(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

/// A connection without a client.
pub struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
    number: u64,
    /// What was told between request and reply, in order.
    pub told: Vec<Json>,
}

impl Wire {
    fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: Vec::new(), number: 0, told: Vec::new() }
    }

    /// Sends bytes as they are.
    pub async fn raw(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Sends a request; its id.
    pub async fn send(&mut self, method: &str, params: Json) -> u64 {
        self.number += 1;
        let request = json!({ "method": method, "params": params, "id": self.number });
        self.raw(&request.to_string()).await;
        self.number
    }

    /// The next message; `None`: the server has ended the connection.
    pub async fn next(&mut self) -> Option<Json> {
        loop {
            let mut texts = serde_json::Deserializer::from_slice(&self.buffer).into_iter();
            if let Some(Ok(message)) = texts.next() {
                let end = texts.byte_offset();
                self.buffer.drain(..end);
                return Some(message);
            }
            let read = self.stream.read_buf(&mut self.buffer);
            let length = tokio::time::timeout(Duration::from_secs(10), read).await;
            if length.expect("an answer within ten seconds").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next message, if it comes within 100 ms.
    pub async fn soon(&mut self) -> Option<Json> {
        tokio::time::timeout(Duration::from_millis(100), self.next()).await.ok().flatten()
    }

    /// The whole reply to that request; what comes before it is kept in [`Self::told`].
    pub async fn reply(&mut self, id: u64) -> Json {
        loop {
            let message = self.next().await.expect("the connection stays");
            if message.get("id") == Some(&json!(id)) && message.get("method").is_none() {
                return message;
            }
            self.told.push(message);
        }
    }

    /// The result of a request, or its error.
    pub async fn call(&mut self, method: &str, params: Json) -> Json {
        let id = self.send(method, params).await;
        let reply = self.reply(id).await;
        let error = reply.get("error").filter(|error| !error.is_null());
        error.or_else(|| reply.get("result")).cloned().unwrap_or_default()
    }

    /// The results of a transaction on `Zoo`.
    pub async fn transact(&mut self, operations: &[Json]) -> Json {
        let mut params = vec![json!("Zoo")];
        params.extend_from_slice(operations);
        self.call("transact", Json::Array(params)).await
    }
}

/// `got` has at least what `expected` has; the text `*` stands for anything.
pub fn fits(got: &Json, expected: &Json) -> bool {
    match (got, expected) {
        (_, Json::String(any)) if any == "*" => true,
        (Json::Object(got), Json::Object(expected)) => expected
            .iter()
            .all(|(name, value)| got.get(name).is_some_and(|other| fits(other, value))),
        (Json::Array(got), Json::Array(expected)) => {
            got.len() == expected.len()
                && got.iter().zip(expected).all(|(got, expected)| fits(got, expected))
        }
        _ => got == expected,
    }
}

/// Fails showing both.
#[track_caller]
pub fn assert_fits(got: &Json, expected: &Json) {
    assert!(fits(got, expected), "\n     got {got}\nexpected {expected}");
}

/// Each behaviour against both servers: `real::NAME` and `ours::NAME`.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod real {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::house::House::real().await).await;
            })*
        }
        mod ours {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::house::House::ours()).await;
            })*
        }
    };
}
