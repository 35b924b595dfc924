//! A connection that breaks at any byte: whoever follows through it ends with what the server has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ovsdb::client::{Client, Options};
use ovsdb::error::{Reason, TransactError};
use ovsdb::remote::Remote;
use ovsdb::row::Row;
use ovsdb::transaction::{Mutator, Transaction};
use ovsdb::value::Datum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use uuid::Uuid;

use crate::cluster::{Cluster, in_step};
use crate::house::{House, Tables, options, soon, until};

const TABLES: Tables = &[
    ("Logical_Switch", &["name", "ports", "external_ids"]),
    ("Logical_Switch_Port", &["name", "addresses", "tag", "options"]),
];

/// Numbers without order, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// Forwards bytes in odd portions, and breaks after a number of them that differs each time.
async fn flaky(listener: UnixListener, far: PathBuf) {
    let mut numbers = Numbers(7);
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = UnixStream::connect(&far).await.unwrap();
        let mut left = usize::try_from(2_000 + numbers.next(40_000)).unwrap();
        let (mut there, mut back) = (vec![0; 4096], vec![0; 4096]);
        while left > 0 {
            let most = left.min(usize::try_from(1 + numbers.next(4_000)).unwrap());
            let (bytes, to) = tokio::select! {
                length = near.read(&mut there) => (&there[..length.unwrap()], &mut far),
                length = far.read(&mut back[..most]) => {
                    let length = length.unwrap();
                    left -= length;
                    (&back[..length], &mut near)
                }
            };
            if bytes.is_empty() || to.write_all(bytes).await.is_err() {
                break;
            }
        }
    }
}

/// One change among few rows, so that they meet.
fn change(numbers: &mut Numbers) -> Transaction {
    let switch = Uuid::from_u128(u128::from(numbers.next(8)) + 1);
    let port = Uuid::from_u128(u128::from(numbers.next(40)) + 100);
    let text = Datum::one(format!("n{}", numbers.next(1000)));
    let mut transaction = Transaction::new();
    match numbers.next(8) {
        0 => transaction.delete("Logical_Switch", switch),
        1 => transaction.insert("Logical_Switch", switch, [("name", text)]),
        2 | 3 => {
            let member = Datum::one(port);
            transaction
                .insert("Logical_Switch_Port", port, [("name", Datum::one(port.to_string()))])
                .mutate("Logical_Switch", switch, "ports", Mutator::Insert, member)
        }
        4 => {
            let member = Datum::one(port);
            transaction.mutate("Logical_Switch", switch, "ports", Mutator::Delete, member)
        }
        5 => {
            let tag = Datum::one(i64::try_from(numbers.next(4000) + 1).unwrap());
            transaction.update("Logical_Switch_Port", port, [("tag", tag), ("addresses", text)])
        }
        _ => {
            let key = format!("k{}", numbers.next(6));
            let pair = Datum::map([(key.clone(), numbers.next(9).to_string())]);
            transaction
                .mutate("Logical_Switch", switch, "external_ids", Mutator::Delete, Datum::one(key))
                .mutate("Logical_Switch", switch, "external_ids", Mutator::Insert, pair)
        }
    };
    transaction
}

fn all(client: &Client) -> BTreeMap<Uuid, Arc<Row>> {
    let replica = client.read().unwrap();
    let tables = TABLES.iter().flat_map(|(table, _)| replica.rows(table));
    tables.map(|(uuid, row)| (uuid, Arc::clone(row))).collect()
}

async fn follow_through_breaks(remote: PathBuf, follower: Options, writer: Client) {
    let Remote::Unix(near) = &follower.remotes[0] else { panic!("no path") };
    tokio::spawn(flaky(UnixListener::bind(near).unwrap(), remote));
    let client = Client::start(follower);
    let mut numbers = Numbers(1);
    let mut followed = client.status();
    for step in 0..1500 {
        let error = match writer.transact(&change(&mut numbers)).await {
            Ok(_) => continue,
            Err(error) => error,
        };
        let TransactError::Refused { reason, .. } = error else { panic!("{error}") };
        let expected = [Reason::DuplicateUuid, Reason::Referential, Reason::Constraint];
        assert!(expected.contains(&reason), "step {step}: {reason}");
        if step % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    soon("it was followed", followed.wait_for(|now| now.generation > 0)).await.unwrap();
    until("both see the same", || all(&client) == all(&writer)).await;
    let breaks = client.status().borrow().generation;
    assert!(breaks > 3, "{breaks} times in step");
    assert!(all(&client).len() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_at_any_byte_lose_nothing_where_the_server_keeps_history() {
    let cluster = Cluster::of(1);
    let near = Remote::Unix(cluster.directory.path().join("near"));
    let writer = in_step(options(cluster.remotes(), TABLES)).await;
    let follower = options(vec![near], TABLES);
    follow_through_breaks(cluster.path("socket", 0), follower, writer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_at_any_byte_lose_nothing_where_it_keeps_none() {
    let house = House::real();
    let Remote::Unix(far) = house.remote() else { panic!("no path") };
    let near = Remote::Unix(far.with_file_name("near"));
    let writer = house.client(TABLES).await;
    follow_through_breaks(far, options(vec![near], TABLES), writer).await;
}
