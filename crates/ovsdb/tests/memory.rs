//! Loading half a million rows takes the memory that they need and hardly any more: the message
//! that brings them is never held as a whole, neither as text nor as JSON. A program of its own, as
//! it is the process that is measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufWriter, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use ovsdb::client::{Client, Monitored, Options};
use ovsdb::remote::Remote;
use serde_json::{Value as Json, json};

/// Rows of a large cloud.
const ROWS: usize = 500_000;

/// What a row may take while it is loaded and afterwards, in bytes. Its text alone has 400.
const ROW: usize = 1_200;

/// What a row may take more while it is loaded than afterwards.
const EXTRA: usize = 150;

fn schema() -> Json {
    let texts = json!({"key": "string", "min": 0, "max": "unlimited"});
    let map = json!({"key": "string", "value": "string", "min": 0, "max": "unlimited"});
    json!({"name": "OVN_Northbound", "version": "1.0.0", "tables": {"Logical_Switch_Port":
    {"columns": {
        "name": {"type": "string"}, "type": {"type": "string"},
        "addresses": {"type": texts}, "port_security": {"type": texts},
        "enabled": {"type": {"key": "boolean", "min": 0, "max": 1}},
        "external_ids": {"type": map}, "options": {"type": map},
    }}}})
}

/// A port as a server has it.
fn row(number: usize) -> String {
    let id = format!("{number:032x}");
    let mac =
        format!("fa:16:3e:{:02x}:{:02x}:{:02x}", number >> 16, number >> 8 & 255, number & 255);
    let address = format!("{mac} 10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
    format!(
        r#"{{"initial":{{"name":"{id}","addresses":"{address}","port_security":"{address}",
        "enabled":true,"options":["map",[["requested-chassis","host{}"]]],
        "external_ids":["map",[["neutron:device_id","{id}"],["neutron:port_name","port{number}"],
        ["neutron:project_id","5d1e6b5e8d0c4f0e9a531f5f6c2b7a01"],["neutron:revision_number","4"],
        ["neutron:device_owner","compute:nova"]]]}}}}"#,
        number % 500
    )
}

/// Answers one client: the schema, and then the rows, made while they are sent.
fn serve(mut stream: UnixStream) {
    let (mut buffer, mut portion) = (Vec::new(), [0; 4096]);
    loop {
        let mut texts = serde_json::Deserializer::from_slice(&buffer).into_iter::<Json>();
        let Some(Ok(message)) = texts.next() else {
            match stream.read(&mut portion) {
                Ok(length) if length > 0 => buffer.extend_from_slice(&portion[..length]),
                _ => return,
            }
            continue;
        };
        let end = texts.byte_offset();
        buffer.drain(..end);
        let id = &message["id"];
        let result = match message["method"].as_str().unwrap_or_default() {
            "get_schema" if message["params"][0] == "OVN_Northbound" => schema(),
            "monitor_cond_since" if message["params"][0] == "OVN_Northbound" => {
                send_rows(&stream, id);
                continue;
            }
            "echo" => message["params"].clone(),
            _ => {
                let error = json!({"id": id, "result": null, "error": "unknown method"});
                stream.write_all(error.to_string().as_bytes()).unwrap();
                continue;
            }
        };
        let reply = json!({"id": id, "result": result, "error": null});
        stream.write_all(reply.to_string().as_bytes()).unwrap();
    }
}

fn send_rows(stream: &UnixStream, id: &Json) {
    let mut out = BufWriter::new(stream);
    let last = uuid::Uuid::from_u128(7);
    write!(out, r#"{{"id":{id},"error":null,"result":[false,"{last}",{{"Logical_Switch_Port":{{"#)
        .unwrap();
    for number in 0..ROWS {
        let comma = if number == 0 { "" } else { "," };
        let at = uuid::Uuid::from_u128(1 + number as u128);
        write!(out, r#"{comma}"{at}":{}"#, row(number)).unwrap();
    }
    write!(out, "}}}}]}}").unwrap();
    out.flush().unwrap();
}

/// The memory of this process in bytes: what it has now (`VmRSS`), the most it had (`VmHWM`).
fn memory(which: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    let kib = line.trim_start_matches(':').split_whitespace().next().unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_million_rows_are_loaded_in_little_more_memory_than_they_need() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    let columns =
        &["name", "type", "addresses", "port_security", "enabled", "external_ids", "options"];
    let tables = vec![Monitored { table: "Logical_Switch_Port", columns, condition: Vec::new() }];
    let before = memory("VmRSS");
    let client = Client::start(Options {
        tables,
        ..Options::new(vec![Remote::Unix(socket)], "OVN_Northbound")
    });
    let loaded = tokio::time::timeout(Duration::from_secs(300), client.connected());
    loaded.await.expect("it loads");
    assert_eq!(client.read().unwrap().count("Logical_Switch_Port"), ROWS);
    let (most, now) = (memory("VmHWM") - before, memory("VmRSS") - before);
    println!("{} bytes a row while loading, {} afterwards", most / ROWS, now / ROWS);
    assert!(most < ROWS * ROW, "{} bytes a row", most / ROWS);
    assert!(most - now < ROWS * EXTRA, "{} bytes a row more while loading", (most - now) / ROWS);
}
