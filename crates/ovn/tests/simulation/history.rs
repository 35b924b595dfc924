//! One history: clients change things, two or three reconcilers follow, everything goes wrong that
//! can; then it stops going wrong, and there must be no difference left.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use model::settings::Settings;
use ovsdb::server::{Backup, Mischief, Server};
use sql::Db;
use testkit::database::Engine;
use testkit::server::TestServer;

use crate::cloud::{Client, Known};
use crate::dice::Dice;
use crate::meddler::{self, NORTHBOUND};
use crate::oracle::Oracle;
use crate::scratch;
use crate::worker::{Time, Worker};

/// How long it may take until there is no difference.
const PATIENCE: Duration = Duration::from_secs(20);

/// A history in the making.
struct History {
    dice: Dice,
    api: TestServer,
    /// The servers' ways into the same database. A second one of its own hears of no commit that
    /// is not its own, as if all kicks were lost; the first one's hears of all.
    servers: Vec<Db>,
    northbound: Server,
    oracle: Oracle,
    time: Arc<Time>,
    workers: Vec<Worker>,
    /// Nothing breaks: messages are only late and transactions refused. Then nobody compares
    /// everything and heals what should not have happened.
    is_calm: bool,
    backups: Vec<Backup>,
    known: Rc<RefCell<Known>>,
    /// What was done, for whoever has to understand a failure.
    told: Rc<RefCell<Vec<String>>>,
}

/// Lives through the history of this seed.
///
/// # Errors
/// What is different at the end, and what had been done.
pub async fn live(seed: u64) -> Result<(), String> {
    let mut history = History::begin(Dice::new(seed)).await;
    for _ in 0..3 + history.dice.below(4) {
        history.step().await;
    }
    let settled = history.settle().await;
    let told = history.told.borrow().join("\n  ");
    history.end().await;
    settled.map_err(|difference| format!("{difference}\nwhat was done:\n  {told}"))
}

impl History {
    async fn begin(mut dice: Dice) -> Self {
        let api = TestServer::new(Engine::Sqlite, Settings::default()).await;
        let northbound = meddler::northbound();
        let oracle = Oracle::new(&northbound);
        let is_calm = dice.percent(40);
        let mut servers = vec![api.db().clone()];
        for _ in 0..1 + dice.below(2) {
            let shared = dice.percent(60).then(|| api.db().clone());
            servers.push(match shared {
                Some(db) => db,
                None => Db::open(api.url(), model::MIGRATIONS).await.unwrap(),
            });
        }
        let time = Arc::<Time>::default();
        // Either those who hear are left alone with a mark, or others find it due at once.
        time.pass(Duration::from_secs(dice.one(&[0, 3, 8]).copied().unwrap()));
        let mut history = Self {
            dice,
            api,
            servers,
            northbound,
            oracle,
            time,
            workers: Vec::new(),
            is_calm,
            backups: Vec::new(),
            known: Rc::default(),
            told: Rc::default(),
        };
        for server in 0..history.servers.len() {
            history.workers.push(history.employ(server));
        }
        history
    }

    fn tell(&self, what: impl Into<String>) {
        self.told.borrow_mut().push(what.into());
    }

    /// The reconciler of a server.
    fn employ(&self, server: usize) -> Worker {
        Worker::start(&self.servers[server], &self.northbound, &self.time)
    }

    /// Something begins to go wrong, and meanwhile the clients go on.
    async fn step(&mut self) {
        self.go_wrong();
        let mut clients: Vec<Client<'_>> = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let (known, dice) = (Rc::clone(&self.known), self.dice.fork());
            clients.push(Client { server: &self.api, known, dice });
        }
        let acts = 1 + self.dice.below(4);
        let done = Cell::new(false);
        let clients = async {
            join_all(clients.iter_mut().map(async |client| {
                for _ in 0..acts {
                    client.act().await;
                }
            }))
            .await;
            done.set(true);
        };
        let accidents = self.dice.fork();
        let (northbound, is_calm) = (&self.northbound, self.is_calm);
        let told = Rc::clone(&self.told);
        let meddling = async {
            let mut dice = accidents;
            while !done.get() {
                tokio::time::sleep(Duration::from_micros(dice.below(3000) as u64)).await;
                match dice.below(12) {
                    0 => northbound.refuse_next(1 + dice.below(3)),
                    _ if is_calm => {}
                    1 => northbound.drop_connections(),
                    2 => northbound.lose_next_replies(1),
                    3 => told.borrow_mut().push(meddler::meddle(northbound, &mut dice)),
                    _ => {}
                }
            }
        };
        tokio::join!(clients, meddling);
        if !self.is_calm && self.dice.percent(30) {
            let worker = self.dice.below(self.workers.len());
            self.tell(format!("killed reconciler {worker}"));
            let fresh = self.employ(worker);
            std::mem::replace(&mut self.workers[worker], fresh).kill();
        }
        if self.dice.percent(50) {
            self.time.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_micros(self.dice.below(20_000) as u64)).await;
        }
    }

    fn go_wrong(&mut self) {
        let what = match self.dice.below(13) {
            0..6 if self.is_calm => return,
            0 => {
                self.northbound.pause();
                "Northbound stands still"
            }
            1 => {
                self.northbound.close();
                "Northbound is away"
            }
            2 => {
                self.northbound.set_mischief(Some(mischief(self.dice.fork())));
                "every fourth transaction goes wrong"
            }
            3 => {
                self.backups.extend(self.northbound.backup(NORTHBOUND));
                "Northbound was backed up"
            }
            4 => {
                let Some(backup) = self.dice.one(&self.backups) else { return };
                self.northbound.restore(backup);
                "an old backup was restored"
            }
            5 => {
                self.northbound.restart_empty(NORTHBOUND);
                "Northbound lost everything"
            }
            6..10 => {
                self.northbound.jitter(Duration::from_millis(3));
                "what is sent first may come last"
            }
            _ => {
                self.heal();
                "all goes well"
            }
        };
        self.tell(what);
    }

    /// Nothing goes wrong any more.
    fn heal(&self) {
        self.northbound.resume();
        self.northbound.open();
        self.northbound.jitter(Duration::ZERO);
        self.northbound.refuse_next(0);
        self.northbound.lose_next_replies(0);
        self.northbound.set_mischief(None);
    }

    /// Until there is no difference.
    async fn settle(&mut self) -> Result<(), String> {
        self.heal();
        let began = Instant::now();
        loop {
            let difference = self.oracle.difference(self.api.db()).await;
            let Some(difference) = difference else { break };
            if began.elapsed() > PATIENCE {
                return Err(difference);
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
            self.time.pass(Duration::from_secs(4));
        }
        // Those of the other Northbound would clear the marks.
        self.workers.drain(..).for_each(Worker::kill);
        let second = scratch::difference(self.api.db(), &self.northbound, &self.time).await;
        second.map_or(Ok(()), Err)
    }

    async fn end(self) {
        self.workers.into_iter().for_each(Worker::kill);
        self.api.close().await;
    }
}

/// One of four transactions goes wrong, one way or the other.
fn mischief(mut dice: Dice) -> ovsdb::server::Mischievous {
    Box::new(move |_, _| match dice.below(12) {
        0 => Mischief::HangBefore,
        1 => Mischief::HangAfter,
        2 => Mischief::Refuse("resources exhausted"),
        _ => Mischief::None,
    })
}
