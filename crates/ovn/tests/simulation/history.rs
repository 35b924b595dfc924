//! One history: clients change things, two or three reconcilers follow, everything goes wrong that
//! can; then it stops going wrong, and there must be no difference left.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use model::settings::Settings;
use testkit::database::Engine;
use testkit::server::TestServer;

use crate::cloud::{Client, Known};
use crate::dice::Dice;
use crate::house::House;
use crate::oracle::Oracle;
use crate::scratch;

/// How long it may take until there is no difference: longer than the watchman rests after a look
/// that failed, as it does on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// Lives through the history of this seed.
///
/// # Errors
/// What is different at the end, and what had been done.
pub async fn live(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let api = TestServer::new(Engine::Sqlite, Settings::default()).await;
    let mut house = House::new(&api, dice.fork()).await;
    let oracle = Oracle::new(&house.northbound);
    let known = Rc::default();
    for _ in 0..3 + dice.below(4) {
        house.turn();
        step(&api, &mut house, &known, &mut dice).await;
    }
    house.heal();
    let mut settled = settle(&api, &house, &oracle).await;
    house.stop();
    if settled.is_ok() && dice.percent(30) {
        let second = scratch::difference(api.db(), &house.northbound, &house.time).await;
        settled = second.map_or(Ok(()), Err);
    }
    api.close().await;
    let told = house.told.join("\n  ");
    settled.map_err(|difference| format!("{difference}\nwhat was done:\n  {told}"))
}

/// Some clients change some things, and meanwhile there are accidents.
async fn step(api: &TestServer, house: &mut House, known: &Rc<RefCell<Known>>, dice: &mut Dice) {
    let acts = 1 + dice.below(4);
    let is_stubborn = dice.percent(40);
    let done = Cell::new(false);
    let mut clients: Vec<Client<'_>> = (0..1 + dice.below(3))
        .map(|_| Client { server: api, known: Rc::clone(known), dice: dice.fork(), is_stubborn })
        .collect();
    let clients = async {
        join_all(clients.iter_mut().map(async |client| {
            for _ in 0..acts {
                client.act().await;
            }
        }))
        .await;
        done.set(true);
    };
    tokio::join!(clients, house.accidents(&done));
}

/// Until there is no difference.
async fn settle(api: &TestServer, house: &House, oracle: &Oracle) -> Result<(), String> {
    let began = Instant::now();
    while let Some(difference) = oracle.difference(api.db()).await {
        if began.elapsed() > PATIENCE {
            return Err(difference);
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
        // Not so fast that what was sent long ago, by this clock, may still be on its way: nobody
        // looks out for it then.
        house.time.pass(Duration::from_secs(1));
    }
    Ok(())
}
