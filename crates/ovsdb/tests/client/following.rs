//! What is followed, and that it stays so: over broken connections, restarts, and a server that
//! goes back to an older state.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ovsdb::client::{Client, Monitored, Options};
use ovsdb::condition::Condition;
use ovsdb::error::TransactError;
use ovsdb::remote::Remote;
use ovsdb::replica::Index;
use ovsdb::row::Row;
use ovsdb::transaction::Transaction;
use ovsdb::value::Datum;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::house::{House, NORTHBOUND, Tables, run, soon, text, until};

const TABLES: Tables = &[
    ("Logical_Switch", &["name", "ports", "external_ids", "a_column_of_the_future"]),
    ("Logical_Switch_Port", &["name", "addresses", "tag"]),
    ("A_Table_Of_The_Future", &["name"]),
];

async fn insert(client: &Client, number: u128) {
    let mut transaction = Transaction::new();
    let name = Datum::one(format!("s{number}"));
    transaction.insert("Logical_Switch", Uuid::from_u128(number), [("name", name)]);
    client.transact(&transaction).await.unwrap();
}

fn names(client: &Client) -> Vec<String> {
    let replica = client.read().unwrap();
    replica.rows("Logical_Switch").map(|(_, row)| row.text("name").unwrap().to_owned()).collect()
}

both! {
    async fn what_the_server_lacks_is_left_out(house: House) {
        let client = house.client(TABLES).await;
        insert(&client, 1).await;
        let replica = client.read().unwrap();
        assert_eq!(replica.rows("A_Table_Of_The_Future").count(), 0);
        let row = replica.row("Logical_Switch", Uuid::from_u128(1)).unwrap();
        assert_eq!(*row.get("a_column_of_the_future"), Datum::none());
        assert!(replica.schema().column("Logical_Switch", "name").is_some());
        assert!(replica.schema().column("Logical_Switch", "a_column_of_the_future").is_none());
    }

    async fn two_clients_see_each_other(house: House) {
        let (one, other) = (house.client(TABLES).await, house.client(TABLES).await);
        for number in 0..20 {
            insert(&one, number).await;
        }
        until("the other sees them", || other.read().unwrap().count("Logical_Switch") == 20).await;
        let mut transaction = Transaction::new();
        transaction.delete_where("Logical_Switch", &[]);
        other.transact(&transaction).await.unwrap();
        until("one sees none", || names(&one).is_empty()).await;
    }

    async fn members_of_sets_and_maps_come_and_go_one_by_one(house: House) {
        let client = house.client(TABLES).await;
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        let switch = Uuid::from_u128(1);
        insert(&client, 1).await;
        for step in 0..60_u32 {
            let key = format!("k{}", step * 7 % 10);
            if step % 3 == 0 {
                model.remove(&key);
            } else {
                model.insert(key, step.to_string());
            }
            let bits = (0..5).filter(|bit| step >> bit & 1 == 1);
            let ports: Vec<Uuid> = bits.map(|bit| Uuid::from_u128(100 + bit)).collect();
            let mut transaction = Transaction::new();
            for port in &ports {
                if client.read().unwrap().row("Logical_Switch_Port", *port).is_none() {
                    let name = Datum::one(port.to_string());
                    transaction.insert("Logical_Switch_Port", *port, [("name", name)]);
                }
            }
            let ids = Datum::map(model.clone());
            let columns = [("external_ids", ids.clone()), ("ports", Datum::set(ports.clone()))];
            transaction.update("Logical_Switch", switch, columns);
            client.transact(&transaction).await.unwrap();
            let replica = client.read().unwrap();
            let row = replica.row("Logical_Switch", switch).unwrap();
            assert_eq!(*row.get("external_ids"), ids);
            assert_eq!(*row.get("ports"), Datum::set(ports.clone()));
            // A port that nobody refers to is gone by the schema.
            let followed = replica.rows("Logical_Switch_Port");
            let followed: Vec<Uuid> = followed.map(|(at, _)| at).collect();
            assert_eq!(followed, ports);
            for port in ports {
                assert_eq!(replica.referrers("Logical_Switch", "ports", port).count(), 1);
            }
        }
    }

    async fn news_tell_what_was_and_what_is(house: House) {
        let client = house.client(TABLES).await;
        let mut changes = client.changes();
        insert(&client, 1).await;
        let came = soon("news", changes.recv()).await.unwrap();
        assert_eq!(came.len(), 1);
        assert_eq!((came[0].table, came[0].uuid), ("Logical_Switch", Uuid::from_u128(1)));
        assert!(came[0].old.is_none());
        assert_eq!(came[0].new.as_ref().unwrap().text("name"), Some("s1"));
        let mut transaction = Transaction::new();
        transaction.update("Logical_Switch", Uuid::from_u128(1), [("name", Datum::one("new"))]);
        client.transact(&transaction).await.unwrap();
        let changed = soon("news", changes.recv()).await.unwrap();
        assert_eq!(changed[0].old.as_ref().unwrap().text("name"), Some("s1"));
        assert_eq!(changed[0].new.as_ref().unwrap().text("name"), Some("new"));
        let mut transaction = Transaction::new();
        transaction.delete("Logical_Switch", Uuid::from_u128(1));
        client.transact(&transaction).await.unwrap();
        let gone = soon("news", changes.recv()).await.unwrap();
        assert_eq!(gone[0].old.as_ref().unwrap().text("name"), Some("new"));
        assert!(gone[0].new.is_none());
    }

    async fn indexes_find_rows_by_what_they_hold_now(house: House) {
        fn by_owner(row: &Row) -> Vec<String> {
            row.get("external_ids").text_at("owner").map(str::to_owned).into_iter().collect()
        }
        let index = Index { table: "Logical_Switch", name: "owner", keys: by_owner };
        let client = Client::start(Options { indexes: vec![index], ..house.options(TABLES) });
        soon("the client connects", client.connected()).await;
        let own = async |number, owner: &str| {
            let mut transaction = Transaction::new();
            let columns = [("external_ids", Datum::map([("owner", owner)]))];
            transaction.update("Logical_Switch", Uuid::from_u128(number), columns);
            client.transact(&transaction).await.unwrap();
        };
        let find = |owner: &str| {
            client.read().unwrap().find("Logical_Switch", "owner", owner).to_vec()
        };
        for number in 1..=3 {
            insert(&client, number).await;
            own(number, "a").await;
        }
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        assert_eq!(find("a"), [one, two, three]);
        own(2, "b").await;
        assert_eq!((find("a"), find("b")), (vec![one, three], vec![two]));
        let mut transaction = Transaction::new();
        transaction.delete("Logical_Switch", one);
        client.transact(&transaction).await.unwrap();
        assert_eq!((find("a"), find("c")), (vec![three], vec![]));
        assert!(client.read().unwrap().find("Logical_Switch", "nonesuch", "a").is_empty());
    }

    async fn a_condition_keeps_other_rows_away(house: House) {
        let condition = vec![
            Condition::equal("name", Datum::one("s1")),
            Condition::includes("external_ids", Datum::map([("mine", "yes")])),
        ];
        let columns = &["name", "external_ids"];
        let tables = vec![Monitored { table: "Logical_Switch", columns, condition }];
        let client = Client::start(Options { tables, ..house.options(&[]) });
        soon("the client connects", client.connected()).await;
        for number in 1..=3 {
            insert(&client, number).await;
        }
        assert_eq!(names(&client), ["s1"]);
        let mark = |yes| {
            let mut transaction = Transaction::new();
            let ids = Datum::map([("mine", yes)]);
            transaction.update("Logical_Switch", Uuid::from_u128(3), [("external_ids", ids)]);
            transaction
        };
        client.transact(&mark("yes")).await.unwrap();
        assert_eq!(names(&client), ["s1", "s3"]);
        client.transact(&mark("no")).await.unwrap();
        assert_eq!(names(&client), ["s1"]);
    }

    async fn a_broken_connection_heals_and_nothing_is_missed(house: House) {
        let client = house.client(TABLES).await;
        let writer = house.client(TABLES).await;
        insert(&client, 1).await;
        let mut status = client.status();
        for number in 2..6 {
            let before = client.status().borrow().generation;
            house.drop_connections();
            let healed = status.wait_for(|now| now.connected && now.generation > before);
            soon("the connection heals", healed).await.unwrap();
            soon("the writer's heals", async {
                // Its connection may be dropped under it.
                let row = Uuid::from_u128(number);
                let mut transaction = Transaction::new();
                transaction.insert("Logical_Switch", row, [("name", Datum::one("x"))]);
                while writer.read().unwrap().row("Logical_Switch", row).is_none() {
                    let _ = writer.transact(&transaction).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
            let expected = usize::try_from(number).unwrap();
            until("it is seen", || names(&client).len() == expected).await;
        }
    }

    async fn a_server_that_is_away_leaves_the_last_state_readable(house: House) {
        let client = house.client(TABLES).await;
        insert(&client, 1).await;
        let mut status = client.status();
        house.down();
        soon("it is noticed", status.wait_for(|now| !now.connected)).await.unwrap();
        assert!(status.borrow().why.is_some());
        assert_eq!(names(&client), ["s1"]);
        let error = client.transact(Transaction::new().comment("lost")).await.unwrap_err();
        assert_eq!(error, TransactError::Disconnected);
        house.up();
        soon("it is back", status.wait_for(|now| now.connected)).await.unwrap();
        assert_eq!(status.borrow().why, None);
        insert(&client, 2).await;
        assert_eq!(names(&client), ["s1", "s2"]);
    }

    async fn a_server_that_was_set_back_is_followed_back(house: House) {
        let client = house.client(TABLES).await;
        insert(&client, 1).await;
        let backup = house.backup();
        insert(&client, 2).await;
        let mut change = Transaction::new();
        change.update("Logical_Switch", Uuid::from_u128(1), [("name", Datum::one("later"))]);
        client.transact(&change).await.unwrap();
        assert_eq!(names(&client), ["later", "s2"]);
        house.restore(backup);
        until("the older state is seen", || names(&client) == ["s1"]).await;
        soon("the client connects", client.connected()).await;
        insert(&client, 2).await;
        assert_eq!(names(&client), ["s1", "s2"]);
    }

    async fn a_reload_is_never_seen_half_done(house: House) {
        let client = house.client(TABLES).await;
        let mut transaction = Transaction::new();
        for number in 0..3000 {
            let name = Datum::one(format!("s{number}"));
            transaction.insert("Logical_Switch", Uuid::from_u128(number), [("name", name)]);
        }
        client.transact(&transaction).await.unwrap();
        let mut status = client.status();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut looks = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(client.read().unwrap().count("Logical_Switch"), 3000);
                    looks += 1;
                }
                looks
            });
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(async {
                for _ in 0..3 {
                    house.down();
                    soon("it is noticed", status.wait_for(|now| !now.connected)).await.unwrap();
                    house.up();
                    soon("it is back", status.wait_for(|now| now.connected)).await.unwrap();
                }
            }));
            stop.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() > 0);
        });
    }

    async fn many_transactions_at_once_all_have_their_own_outcome(house: House) {
        let client = house.client(TABLES).await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..300 {
            let client = client.clone();
            tasks.spawn(async move {
                insert(&client, number).await;
                let row = Uuid::from_u128(number);
                assert!(client.read().unwrap().row("Logical_Switch", row).is_some());
            });
        }
        while let Some(end) = soon("all end", tasks.join_next()).await {
            end.unwrap();
        }
        assert_eq!(names(&client).len(), 300);
    }

    async fn a_client_that_was_stopped_says_so(house: House) {
        let client = house.client(TABLES).await;
        client.stop().await;
        assert!(!client.status().borrow().connected);
        let error = client.transact(Transaction::new().comment("late")).await.unwrap_err();
        assert_eq!(error, TransactError::Disconnected);
        client.stop().await;
    }

    async fn a_database_that_is_not_there_is_named(house: House) {
        let database = "Nonesuch".to_owned();
        let client = Client::start(Options { database, ..house.options(&[]) });
        let mut status = client.status();
        let why = soon("a reason", status.wait_for(|now| now.why.is_some())).await.unwrap();
        assert!(why.why.as_ref().unwrap().contains("no database Nonesuch"), "{why:?}");
        drop(why);
        assert!(client.read().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_converted_is_read_with_its_new_schema() {
    let house = House::real();
    let client = house.client(TABLES).await;
    insert(&client, 1).await;
    let mut schema: Json = serde_json::from_slice(&std::fs::read(NORTHBOUND).unwrap()).unwrap();
    schema["version"] = "999.0.0".into();
    schema["tables"]["Logical_Switch"]["columns"]["a_column_of_the_future"] =
        json!({"type": "string"});
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("schema");
    std::fs::write(&file, schema.to_string()).unwrap();
    let mut status = client.status();
    run("ovsdb-client", &["convert", &house.remote().to_string(), &text(&file)]);
    let again = status.wait_for(|now| now.connected && now.generation > 1);
    soon("it is in step again", again).await.unwrap();
    let replica = client.read().unwrap();
    assert_eq!(replica.schema().version, "999.0.0");
    let row = replica.row("Logical_Switch", Uuid::from_u128(1)).unwrap();
    assert_eq!(row.text("a_column_of_the_future"), Some(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_remotes_one_that_serves_is_found() {
    let house = House::real();
    let nowhere = Remote::Unix("/nonexistent/socket".into());
    let remotes = vec![nowhere.clone(), house.remote(), nowhere];
    let client = Client::start(Options { remotes, ..house.options(TABLES) });
    soon("the client connects", client.connected()).await;
    house.drop_connections();
    let mut status = client.status();
    let again = status.wait_for(|now| now.connected && now.generation > 1);
    soon("it connects again", again).await.unwrap();
}
