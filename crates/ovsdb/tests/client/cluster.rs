//! Clusters: the leader is found and followed when it changes, an interrupted client goes on from
//! the transaction it saw last, and what was acknowledged is never lost.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ovsdb::client::{Client, Options};
use ovsdb::error::{Reason, TransactError};
use ovsdb::remote::Remote;
use ovsdb::transaction::Transaction;
use ovsdb::value::Datum;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use uuid::Uuid;

use crate::house::{NORTHBOUND, Process, Tables, options, run, server, soon, text, wait_for};

const TABLES: Tables = &[("Logical_Switch", &["name"])];

/// Servers of one Northbound.
pub struct Cluster {
    pub directory: TempDir,
    members: Vec<Option<Process>>,
}

impl Cluster {
    pub fn of(size: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut cluster = Self { directory, members: Vec::new() };
        let raft = |number| format!("unix:{}", text(&cluster.path("raft", number)));
        let database = |number| text(&cluster.path("db", number));
        run("ovsdb-tool", &["create-cluster", &database(0), NORTHBOUND, &raft(0)]);
        for number in 1..size {
            let (own, first) = (raft(number), raft(0));
            run("ovsdb-tool", &["join-cluster", &database(number), "OVN_Northbound", &own, &first]);
        }
        for number in 0..size {
            cluster.members.push(None);
            cluster.up(number);
        }
        cluster
    }

    pub fn path(&self, what: &str, number: usize) -> PathBuf {
        self.directory.path().join(format!("{what}{number}"))
    }

    fn up(&mut self, number: usize) {
        let socket = self.path("socket", number);
        let _ = std::fs::remove_file(&socket);
        let remote = format!("--remote=punix:{}", text(&socket));
        let control = format!("--unixctl={}", text(&self.path("control", number)));
        let database = text(&self.path("db", number));
        self.members[number] = Some(server(&[&remote, &control, &database]));
        wait_for(&socket);
    }

    pub fn remotes(&self) -> Vec<Remote> {
        (0..self.members.len()).map(|number| Remote::Unix(self.path("socket", number))).collect()
    }

    /// Who says that it leads.
    fn leader(&self) -> Option<usize> {
        (0..self.members.len()).filter(|number| self.members[*number].is_some()).find(|number| {
            let control = text(&self.path("control", *number));
            let asked = ["-t", &control, "cluster/status", "OVN_Northbound"];
            run("ovs-appctl", &asked).contains("Role: leader")
        })
    }
}

fn insert(number: u128) -> Transaction {
    let mut transaction = Transaction::new();
    let name = Datum::one(format!("s{number}"));
    transaction.insert("Logical_Switch", Uuid::from_u128(number), [("name", name)]);
    transaction
}

pub async fn in_step(options: Options) -> Client {
    let client = Client::start(options);
    soon("the client connects", client.connected()).await;
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_client_goes_on_where_it_was() {
    let cluster = Cluster::of(1);
    let near = cluster.directory.path().join("near");
    let far = cluster.path("socket", 0);
    let proxy = |listener: UnixListener, far: PathBuf| async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = UnixStream::connect(&far).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    };
    let first = tokio::spawn(proxy(UnixListener::bind(&near).unwrap(), far.clone()));
    let client = in_step(options(vec![Remote::Unix(near.clone())], TABLES)).await;
    let writer = in_step(options(cluster.remotes(), TABLES)).await;
    writer.transact(&insert(1)).await.unwrap();
    let mut changes = client.changes();
    let row = |number| {
        client.read().unwrap().row("Logical_Switch", Uuid::from_u128(number)).map(Arc::clone)
    };
    while row(1).is_none() {
        soon("the first row", changes.recv()).await.unwrap();
    }
    let before = row(1).unwrap();
    let mut changes = client.changes();

    first.abort();
    let mut status = client.status();
    soon("it is noticed", status.wait_for(|now| !now.connected)).await.unwrap();
    writer.transact(&insert(2)).await.unwrap();
    std::fs::remove_file(&near).unwrap();
    let _second = tokio::spawn(proxy(UnixListener::bind(&near).unwrap(), far));
    soon("it is back", status.wait_for(|now| now.connected)).await.unwrap();

    // What was missed came as news, and what was there was not sent again.
    let news = soon("the news", changes.recv()).await.unwrap();
    assert_eq!((news.len(), news[0].uuid), (1, Uuid::from_u128(2)));
    assert!(Arc::ptr_eq(&before, &row(1).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_leaders_in_turn_loses_nothing_that_was_acknowledged() {
    let mut cluster = Cluster::of(3);
    let client = in_step(options(cluster.remotes(), TABLES)).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load = tokio::spawn({
        let client = client.clone();
        async move {
            let (mut sure, mut unsure) = (BTreeSet::new(), BTreeSet::new());
            let mut number = 0;
            while !*stopped.borrow() {
                number += 1;
                match client.transact(&insert(number)).await {
                    Ok(_) => drop(sure.insert(number)),
                    Err(TransactError::Disconnected) => client.connected().await,
                    Err(TransactError::Unknown) => drop(unsure.insert(number)),
                    Err(TransactError::Refused { reason: Reason::NotLeader, .. }) => {}
                    Err(error) => panic!("{error}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            (sure, unsure)
        }
    });
    for _ in 0..3 {
        let mut status = client.status();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let leader = cluster.leader().unwrap();
        let generation = status.borrow().generation;
        cluster.members[leader] = None;
        let moved = status.wait_for(|now| now.connected && now.generation > generation);
        soon("another leads", moved).await.unwrap();
        assert_ne!(cluster.leader(), Some(leader));
        cluster.up(leader);
    }
    stop.send(true).unwrap();
    let (sure, unsure) = soon("the load ends", load).await.unwrap();
    soon("the client is in step", client.connected()).await;
    client.transact(Transaction::new().comment("the end")).await.unwrap();
    let there: BTreeSet<u128> = {
        let replica = client.read().unwrap();
        replica.rows("Logical_Switch").map(|(uuid, _)| uuid.as_u128()).collect()
    };
    assert!(sure.len() > 50, "{} acknowledged", sure.len());
    assert!(sure.is_subset(&there), "lost {:?}", sure.difference(&there));
    let allowed: BTreeSet<u128> = &sure | &unsure;
    assert!(there.is_subset(&allowed), "unasked {:?}", there.difference(&allowed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_followers_writes_through_them() {
    let cluster = Cluster::of(3);
    let leads = in_step(options(cluster.remotes(), TABLES)).await;
    let leader = cluster.leader().unwrap();
    let mut remotes = cluster.remotes();
    remotes.remove(leader);
    let refused = Client::start(options(remotes.clone(), TABLES));
    let mut status = refused.status();
    let why = |why: &Option<String>| why.as_ref().is_some_and(|why| why.contains("not lead"));
    soon("it is refused", status.wait_for(|now| why(&now.why))).await.unwrap();

    let follower = in_step(Options { leader_only: false, ..options(remotes, TABLES) }).await;
    for number in 1..20 {
        follower.transact(&insert(number)).await.unwrap();
        assert_eq!(follower.read().unwrap().count("Logical_Switch"), number as usize);
    }
    soon("the leader's client sees them", async {
        while leads.read().unwrap().count("Logical_Switch") < 19 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}
