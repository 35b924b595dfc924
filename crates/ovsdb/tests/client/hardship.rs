//! A server that does what good ones do not: too old, silent, or lying.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ovsdb::client::{Client, Options};
use ovsdb::condition::Condition;
use ovsdb::error::TransactError;
use ovsdb::remote::Remote;
use ovsdb::transaction::Transaction;
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use uuid::Uuid;

use crate::house::{Tables, options, soon, until};

const TABLES: Tables = &[("Animal", &["name", "legs"])];

/// What is answered to a method and its parameters; `None`: nothing.
type Script = fn(&str, &Json) -> Option<Result<Json, Json>>;

/// A server by script, for one connection after the other.
struct Scripted {
    directory: TempDir,
    heard: Arc<Mutex<Vec<Json>>>,
    /// Sent to whoever is connected.
    tell: tokio::sync::mpsc::UnboundedSender<String>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Scripted {
    fn start(script: Script) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicUsize::new(0));
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<String>();
        let (record, count) = (Arc::clone(&heard), Arc::clone(&connections));
        let over = Arc::clone(&ended);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut buffer = Vec::new();
                while let Some(message) = next(&mut stream, &mut buffer, &mut told).await {
                    record.lock().unwrap().push(message.clone());
                    let Some(method) = message["method"].as_str() else { continue };
                    let Some(answer) = script(method, &message["params"]) else { continue };
                    let (result, error) = match answer {
                        Ok(result) => (result, Json::Null),
                        Err(error) => (Json::Null, error),
                    };
                    let reply = json!({"id": message["id"], "result": result, "error": error});
                    let _ = stream.write_all(reply.to_string().as_bytes()).await;
                }
                over.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { directory, heard, tell, connections, ended }
    }

    fn options(&self) -> Options {
        let remote = Remote::Unix(self.directory.path().join("socket"));
        Options { database: "Zoo".to_owned(), ..options(vec![remote], TABLES) }
    }

    fn heard(&self, is: impl Fn(&Json) -> bool) -> bool {
        self.heard.lock().unwrap().iter().any(is)
    }
}

/// The next message; what is to be told goes out meanwhile, the text `bye` ends the connection.
async fn next(
    stream: &mut UnixStream,
    buffer: &mut Vec<u8>,
    told: &mut tokio::sync::mpsc::UnboundedReceiver<String>,
) -> Option<Json> {
    loop {
        let mut texts = serde_json::Deserializer::from_slice(buffer).into_iter();
        if let Some(Ok(message)) = texts.next() {
            let end = texts.byte_offset();
            buffer.drain(..end);
            return Some(message);
        }
        tokio::select! {
            length = stream.read_buf(buffer) => if length.ok()? == 0 { return None },
            Some(text) = told.recv() => {
                if text == "bye" {
                    return None;
                }
                stream.write_all(text.as_bytes()).await.ok()?;
            }
        }
    }
}

fn schema() -> Json {
    json!({"name": "Zoo", "version": "1.0.0", "tables": {"Animal": {"columns": {
        "name": {"type": "string"},
        "legs": {"type": {"key": "integer", "min": 0, "max": 1}},
    }}}})
}

fn old(method: &str, params: &Json) -> Option<Result<Json, Json>> {
    let row = |name: &str| json!({"new": {"name": name, "legs": ["set", []]}});
    Some(match method {
        "get_schema" if params[0] == "Zoo" => Ok(schema()),
        "get_schema" => Err(json!({"error": "unknown database"})),
        "monitor" => Ok(json!({"Animal": {
            Uuid::from_u128(1).to_string(): row("cat"), Uuid::from_u128(2).to_string(): row("dog"),
        }})),
        "echo" => Ok(params.clone()),
        "transact" => Ok(json!([{}])),
        _ => Err(json!("unknown method")),
    })
}

/// Knows conditions, but not how to go on after a transaction.
fn younger(method: &str, params: &Json) -> Option<Result<Json, Json>> {
    if method != "monitor_cond" {
        return old(method, params);
    }
    let row = |name: &str| json!({"initial": {"name": name}});
    Some(Ok(json!({"Animal": {
        Uuid::from_u128(1).to_string(): row("cat"), Uuid::from_u128(2).to_string(): row("dog"),
    }})))
}

fn silent(method: &str, params: &Json) -> Option<Result<Json, Json>> {
    if matches!(method, "echo" | "transact") { None } else { old(method, params) }
}

/// What the animal of this number is called in the replica, if it is there.
fn name(client: &Client, number: u128) -> Option<String> {
    let replica = client.read().unwrap();
    let row = replica.row("Animal", Uuid::from_u128(number))?;
    Some(row.text("name").unwrap().to_owned())
}

#[tokio::test]
async fn a_server_of_the_first_hour_is_followed_too() {
    let server = Scripted::start(old);
    let client = Client::start(server.options());
    soon("the client connects", client.connected()).await;
    let name = |number| name(&client, number);
    assert_eq!((name(1).as_deref(), name(2).as_deref()), (Some("cat"), Some("dog")));
    let (first, second) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
    let update = json!({"id": null, "method": "update", "params": ["database", {"Animal": {
        first: {"old": {"name": "cat"}, "new": {"name": "lion", "legs": 4}},
        second: {"old": {"name": "dog", "legs": ["set", []]}},
    }}]});
    server.tell.send(update.to_string()).unwrap();
    until("the dog is gone", || name(2).is_none()).await;
    assert_eq!(name(1).as_deref(), Some("lion"));
    let replica = client.read().unwrap();
    assert_eq!(*replica.row("Animal", Uuid::from_u128(1)).unwrap().get("legs"), Datum::one(4));
}

#[tokio::test]
async fn a_server_that_knows_conditions_only_is_asked_with_them() {
    let server = Scripted::start(younger);
    let mut options = server.options();
    options.tables[0].condition = vec![Condition::equal("name", Datum::one("cat"))];
    let client = Client::start(options);
    soon("the client connects", client.connected()).await;
    let asked = |method: &str| server.heard(|message| message["method"] == method);
    assert!(asked("monitor_cond_since") && asked("monitor_cond") && !asked("monitor"));
    assert!(server.heard(|message| {
        message["method"] == "monitor_cond"
            && message.to_string().contains(r#""where":[["name","==","cat"]]"#)
    }));
    let name = |number| name(&client, number);
    assert_eq!((name(1).as_deref(), name(2).as_deref()), (Some("cat"), Some("dog")));
    let (first, second) = (Uuid::from_u128(1).to_string(), Uuid::from_u128(2).to_string());
    let update = json!({"id": null, "method": "update2", "params": ["database", {"Animal": {
        first: {"modify": {"name": "lion", "legs": 4}}, second: {"delete": null},
    }}]});
    server.tell.send(update.to_string()).unwrap();
    until("the dog is gone", || name(2).is_none()).await;
    assert_eq!(name(1).as_deref(), Some("lion"));
}

#[tokio::test]
async fn an_echo_is_answered_with_what_it_brought() {
    let server = Scripted::start(old);
    let client = Client::start(server.options());
    soon("the client connects", client.connected()).await;
    server.tell.send(json!({"id": "e", "method": "echo", "params": ["x", 1]}).to_string()).unwrap();
    let answer = json!({"id": "e", "result": ["x", 1], "error": null});
    until("the answer comes", || server.heard(|message| *message == answer)).await;
}

/// Takes long to put everything together, and answers nothing meanwhile.
fn busy(method: &str, params: &Json) -> Option<Result<Json, Json>> {
    if method == "monitor" {
        std::thread::sleep(Duration::from_millis(400));
    }
    old(method, params)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_busy_with_the_load_is_given_time() {
    let server = Scripted::start(busy);
    let client = Client::start(Options { probe: Duration::from_millis(100), ..server.options() });
    soon("the client connects", client.connected()).await;
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_silent_server_is_asked_and_then_given_up() {
    let server = Scripted::start(silent);
    let probe = Duration::from_millis(100);
    let client = Client::start(Options { probe, ..server.options() });
    soon("the client connects", client.connected()).await;
    let mut status = client.status();
    let sent = client.transact(Transaction::new().comment("?")).await;
    assert_eq!(sent, Err(TransactError::Unknown));
    assert!(server.heard(|message| message["method"] == "echo"));
    let lost = status.wait_for(|now| !now.connected || now.generation > 1);
    soon("it is given up", lost).await.unwrap();
    until("it is tried again", || server.connections.load(Ordering::Relaxed) > 1).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown() {
    let server = Scripted::start(silent);
    let timeout = Duration::from_millis(100);
    let client = Client::start(Options { timeout, ..server.options() });
    soon("the client connects", client.connected()).await;
    let sent = client.transact(Transaction::new().comment("?")).await;
    assert_eq!(sent, Err(TransactError::Unknown));
    assert!(client.status().borrow().connected);
}

#[tokio::test]
async fn nonsense_ends_the_connection_and_leaves_the_replica_as_it_was() {
    let server = Scripted::start(old);
    let client = Client::start(server.options());
    soon("the client connects", client.connected()).await;
    let ghost = Uuid::from_u128(404).to_string();
    let unknown = json!({"id": null, "method": "update2", "params": ["database", {"Animal": {
        Uuid::from_u128(1).to_string(): {"modify": {"name": "changed"}},
        ghost: {"modify": {"name": "changed"}},
    }}]});
    let nonsense = [unknown.to_string(), "]".to_owned(), "{\"id\" 3}".to_owned(), "}".to_owned()];
    for (number, text) in nonsense.into_iter().enumerate() {
        let mut status = client.status();
        let generation = status.borrow().generation;
        let connections = number + 1;
        assert_eq!(server.connections.load(Ordering::Relaxed), connections);
        server.tell.send(text).unwrap();
        let again = status.wait_for(|now| now.connected && now.generation > generation);
        soon("it comes back", again).await.unwrap();
        let replica = client.read().unwrap();
        assert_eq!(replica.row("Animal", Uuid::from_u128(1)).unwrap().text("name"), Some("cat"));
    }
}

#[tokio::test]
async fn a_client_that_nobody_holds_any_more_goes_away() {
    let server = Scripted::start(old);
    let client = Client::start(server.options());
    soon("the client connects", client.connected()).await;
    let lock = client.lock("a_lock");
    drop(client.clone());
    drop(client);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.ended.load(Ordering::Relaxed), 0);
    drop(lock);
    until("the connection ends", || server.ended.load(Ordering::Relaxed) == 1).await;
}

#[cfg(debug_assertions)]
#[tokio::test]
#[should_panic(expected = "read twice at once")]
async fn reading_twice_at_once_in_one_thread_is_found_in_tests() {
    let server = Scripted::start(old);
    let client = Client::start(server.options());
    soon("the client connects", client.connected()).await;
    let first = client.read().unwrap();
    drop(first);
    let _first = client.read().unwrap();
    let _second = client.read();
}
