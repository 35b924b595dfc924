//! What breaks down for all units, or because of one of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ovn::chance::{Chance, Real};
use ovn::reconcile::Settings;
use serde_json::json;
use tokio::task;
use wire::ctx::Ctx;

use crate::bench::{Bench, Northbound, schema};

/// Breaks every batch down that has two units or more.
#[derive(Default)]
struct Fragile {
    /// The loop's own task, which throws dice for other things.
    first: OnceLock<task::Id>,
    /// Numbers since the task looked at the clock: one for each unit that it writes.
    numbers: Mutex<HashMap<task::Id, u32>>,
}

impl Chance for Fragile {
    fn now(&self) -> Timestamp {
        self.numbers.lock().unwrap().remove(&task::id());
        Real.now()
    }

    fn number(&self) -> u64 {
        let task = task::id();
        let first = *self.first.get_or_init(|| task);
        let mut numbers = self.numbers.lock().unwrap();
        let count = numbers.entry(task).or_default();
        *count += 1;
        let breaks = *count > 1 && first != task;
        drop(numbers);
        assert!(!breaks, "a mistake of ours, made for a test");
        Real.number()
    }
}

#[tokio::test]
async fn units_whose_batch_breaks_down_are_worked_on_one_by_one() {
    let northbound = Northbound::in_process(schema());
    let bench = Bench::with(northbound, Settings::default(), Arc::<Fragile>::default()).await;
    let networks = vec![json!({"name": "n"}); 20];
    bench.call("POST", "networks", json!({ "networks": networks })).await;
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch"), 20);
}

#[tokio::test]
async fn a_database_that_is_away_is_not_asked_for_each_unit_that_waits() {
    let settings = Settings { batch_max: 1, ..Settings::default() };
    let northbound = Northbound::in_process(schema());
    let bench = Bench::with(northbound, settings, Arc::new(Real)).await;
    bench.in_line().await;
    bench.northbound.server().close();
    let networks = vec![json!({"name": "n"}); 100];
    bench.call("POST", "networks", json!({ "networks": networks })).await;
    let rename = |from: &'static str, to: &'static str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        let db = bench.db().clone();
        async move {
            let act = |tx: sql::Tx| {
                tx.exec(sql.clone(), Vec::new());
                async { Ok(()) }
            };
            db.write(&Ctx::system(Timestamp::now()), act).await.unwrap();
        }
    };
    rename("networks", "away").await;
    let before = bench.db().stats().statements;
    bench.northbound.server().open();
    bench.client.connected().await;
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = bench.db().stats().statements - before;
    let most = 40 * (begun.elapsed().as_secs() + 1);
    assert!(asked < most, "{asked} statements in {:?}", begun.elapsed());
    rename("away", "networks").await;
    bench.in_line().await;
    assert_eq!(bench.count("Logical_Switch"), 100);
}
