//! What the clients do not see: Northbound, the servers that bring it in line, and everything that
//! goes wrong with them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use ovsdb::server::{Backup, Mischief, Mischievous, Server};
use sql::Db;
use testkit::server::TestServer;

use crate::dice::Dice;
use crate::meddler::{self, NORTHBOUND};
use crate::worker::{Time, Worker};

/// Northbound and the servers.
pub struct House {
    /// What is to be brought in line.
    pub northbound: Server,
    /// The clock of all servers.
    pub time: Arc<Time>,
    /// What was done, for whoever has to understand a failure.
    pub told: Vec<String>,
    dice: Dice,
    /// Nothing breaks: messages are only late and transactions refused. Then nobody compares
    /// everything and heals what should not have happened.
    is_calm: bool,
    /// The servers' ways into the database. A second one of its own hears of no commit that is not
    /// its own, as if all kicks were lost; the first one's hears of all.
    servers: Vec<Db>,
    workers: Vec<Worker>,
    backups: Vec<Backup>,
}

impl House {
    /// Two or three servers on the database of the first one.
    pub async fn new(api: &TestServer, mut dice: Dice) -> Self {
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
        let northbound = meddler::northbound();
        let start = |db: &Db| Worker::start(db, &northbound, &time);
        let workers = servers.iter().map(start).collect();
        let (told, backups, is_calm) = (Vec::new(), Vec::new(), dice.percent(40));
        Self { northbound, time, told, dice, is_calm, servers, workers, backups }
    }

    /// Something begins to go wrong, or ceases to.
    pub fn turn(&mut self) {
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
                let most = 1 + self.dice.below(10) as u64;
                self.northbound.jitter(Duration::from_millis(most));
                "what is sent first may come last"
            }
            _ => {
                self.heal();
                "all goes well"
            }
        };
        self.told.push(what.to_owned());
    }

    /// Accidents, one after the other, until the clients are done.
    pub async fn accidents(&mut self, done: &Cell<bool>) {
        while !done.get() {
            self.pause(3_000).await;
            match self.dice.below(14) {
                0 => self.northbound.refuse_next(1 + self.dice.below(3)),
                1 => self.time.pass(Duration::from_millis(500)),
                _ if self.is_calm => {}
                2 => self.northbound.drop_connections(),
                3 => self.northbound.lose_next_replies(1),
                4 => self.told.push(meddler::meddle(&self.northbound, &mut self.dice)),
                5 => self.kill_one(),
                _ => {}
            }
        }
        if self.dice.percent(50) {
            self.time.pass(Duration::from_secs(1));
            self.pause(20_000).await;
        }
    }

    async fn pause(&mut self, most_us: usize) {
        tokio::time::sleep(Duration::from_micros(self.dice.below(most_us) as u64)).await;
    }

    /// Wherever it is; another one takes its place.
    fn kill_one(&mut self) {
        let number = self.dice.below(self.workers.len());
        self.told.push(format!("reconciler {number} was killed"));
        let fresh = Worker::start(&self.servers[number], &self.northbound, &self.time);
        std::mem::replace(&mut self.workers[number], fresh).kill();
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.northbound.resume();
        self.northbound.open();
        self.northbound.jitter(Duration::ZERO);
        self.northbound.refuse_next(0);
        self.northbound.lose_next_replies(0);
        self.northbound.set_mischief(None);
    }

    /// The servers end.
    pub fn stop(&mut self) {
        self.workers.drain(..).for_each(Worker::kill);
    }
}

/// One of four transactions goes wrong, one way or the other.
fn mischief(mut dice: Dice) -> Mischievous {
    Box::new(move |_, _| match dice.below(12) {
        0 => Mischief::HangBefore,
        1 => Mischief::HangAfter,
        2 => Mischief::Refuse("resources exhausted"),
        _ => Mischief::None,
    })
}
