//! Everything that the server knows, and what each message does with it (RFC 7047 §4.1). All of it
//! happens under one lock, one message after the other, so that who is told what in which order is
//! as in `ovsdb-server`: of a transaction first the monitors, then whoever asked for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::database::{Changes, Database};
use super::fault::Faults;
use super::locks::Locks;
use super::monitor::{Monitor, Version};
use super::operation::{Asker, Outcome, execute};
use super::refusal::Refusal;
use super::session::SessionId;

/// A connection as the others see it.
pub(super) struct Session {
    /// Where it is told.
    pub out: mpsc::UnboundedSender<Json>,
    /// Ends it.
    pub task: Option<AbortHandle>,
    monitors: Vec<Monitor>,
}

impl Session {
    /// Watches nothing yet.
    pub fn new(out: mpsc::UnboundedSender<Json>) -> Self {
        Self { out, task: None, monitors: Vec::new() }
    }
}

/// A transaction whose `wait` is not fulfilled yet.
struct Waiting {
    session: SessionId,
    id: Json,
    database: String,
    operations: Vec<Json>,
    since: Instant,
    number: u64,
}

/// Everything.
#[derive(Default)]
pub(super) struct State {
    /// The databases by name.
    pub databases: BTreeMap<String, Database>,
    /// The connections.
    pub sessions: BTreeMap<SessionId, Session>,
    /// What is to go wrong.
    pub faults: Faults,
    /// How many transactions changed something.
    pub committed: u64,
    /// How many replies to our `echo` came.
    pub echoed: u64,
    locks: Locks,
    waiting: Vec<Waiting>,
    numbers: u64,
    server_id: Uuid,
}

/// What follows from a message.
pub(super) enum Next {
    /// Go on.
    Continue,
    /// End this connection.
    Hang,
    /// Go on, and try the waiting transactions again after so long.
    Wake(Duration),
}

enum Reply {
    Result(Json),
    Error(Json),
    /// It comes later.
    Later(Option<Duration>),
    /// It never comes.
    Hang,
}

impl From<Result<Json, Refusal>> for Reply {
    fn from(result: Result<Json, Refusal>) -> Self {
        match result {
            Ok(result) => Self::Result(result),
            Err(refusal) => Self::Error(refusal.to_json()),
        }
    }
}

impl State {
    /// With these databases.
    pub fn new(databases: BTreeMap<String, Database>) -> Self {
        Self { databases, server_id: Uuid::new_v4(), ..Self::default() }
    }

    /// A number that was not given before.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A connection has ended.
    pub fn leave(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.waiting.retain(|waiting| waiting.session != session);
        for (lock, next) in self.locks.leave(session) {
            self.tell_lock(next, "locked", &lock);
        }
    }

    /// Ends a connection from this side.
    pub fn hang(&mut self, session: SessionId) {
        if let Some(task) = self.sessions.get(&session).and_then(|session| session.task.clone()) {
            task.abort();
        }
        self.leave(session);
    }

    fn tell(&self, session: SessionId, message: Json) {
        if let Some(session) = self.sessions.get(&session) {
            // A session that is ending reads no more.
            let _ = session.out.send(message);
        }
    }

    fn tell_lock(&self, session: SessionId, method: &str, lock: &str) {
        self.tell(session, json!({ "id": null, "method": method, "params": [lock] }));
    }

    /// Does what a message says.
    pub fn receive(&mut self, session: SessionId, message: &Json) -> Next {
        let method = message.get("method").and_then(Json::as_str);
        let id = message.get("id").filter(|id| !id.is_null());
        let (Some(method), params) = (method, message.get("params")) else {
            let answers = message.get("result").is_some() || message.get("error").is_some();
            self.echoed += u64::from(answers);
            return if answers && id.is_some() { Next::Continue } else { Next::Hang };
        };
        let Some(params) = params.and_then(Json::as_array) else { return Next::Hang };
        let Some(id) = id else {
            if method == "cancel" {
                self.cancel(session, params);
            }
            return Next::Continue;
        };
        let reply = match method {
            "transact" => self.transact(session, id, params),
            _ => self.request(session, method, params),
        };
        let answer = match reply {
            Reply::Result(result) => json!({ "id": id, "result": result, "error": null }),
            Reply::Error(error) => json!({ "id": id, "result": null, "error": error }),
            Reply::Later(None) => return Next::Continue,
            Reply::Later(Some(after)) => return Next::Wake(after),
            Reply::Hang => return Next::Hang,
        };
        self.tell(session, answer);
        Next::Continue
    }

    fn request(&mut self, session: SessionId, method: &str, params: &[Json]) -> Reply {
        match method {
            "echo" => Reply::Result(Json::Array(params.to_vec())),
            "list_dbs" => Reply::Result(self.databases.keys().cloned().collect()),
            "get_schema" => {
                let known = self.database(method, params);
                known.map(|(_, database)| database.schema.clone()).into()
            }
            "get_server_id" => Reply::Result(json!(self.server_id.to_string())),
            "set_db_change_aware" => Reply::Result(json!({})),
            "monitor" => self.monitor(session, Version::One, params).into(),
            "monitor_cond" => self.monitor(session, Version::Two, params).into(),
            "monitor_cond_since" => self.monitor(session, Version::Three, params).into(),
            "monitor_cond_change" => self.monitor_change(session, params).into(),
            "monitor_cancel" => self.monitor_cancel(session, params),
            "lock" | "steal" => self.lock(session, method, params).into(),
            "unlock" => self.unlock(session, params).into(),
            _ => Reply::Error(json!("unknown method")),
        }
    }

    fn database(&self, method: &str, params: &[Json]) -> Result<(String, &Database), Refusal> {
        let whole = || Json::Array(params.to_vec());
        let name = params.first().and_then(Json::as_str).ok_or_else(|| {
            let details = format!("{method} request params must begin with <db-name>");
            Refusal::syntax(details).at(&whole())
        })?;
        let database = self.databases.get(name).ok_or_else(|| {
            let details = format!("{method} request specifies unknown database {name}");
            Refusal::new("unknown database", details).at(&whole())
        })?;
        Ok((name.to_owned(), database))
    }

    fn transact(&mut self, session: SessionId, id: &Json, params: &[Json]) -> Reply {
        let name = match self.database("transact", params) {
            Ok((name, _)) => name,
            Err(refusal) => return Reply::Error(refusal.to_json()),
        };
        let operations = params.get(1..).unwrap_or_default();
        let mischief = self.faults.next(&name, operations);
        if let Some(refused) = mischief.refusal() {
            return Reply::Result(refused);
        }
        if mischief.hangs_before() {
            return Reply::Hang;
        }
        if mischief.hangs_after() {
            // The session is gone before anyone is told, so that it learns nothing.
            self.hang(session);
        }
        let (reply, since) =
            (self.attempt(session, &name, operations, Duration::ZERO), Instant::now());
        if let Reply::Later(_) = reply {
            let number = self.number();
            self.waiting.push(Waiting {
                session,
                id: id.clone(),
                database: name,
                operations: operations.to_vec(),
                since,
                number,
            });
        }
        reply
    }

    fn attempt(
        &mut self,
        session: SessionId,
        name: &str,
        operations: &[Json],
        waited: Duration,
    ) -> Reply {
        let Some(database) = self.databases.get(name) else { return Reply::Hang };
        let holds = |lock: &str| self.locks.holds(lock, session);
        match execute(database, operations, &Asker { holds: &holds, waited }) {
            Outcome::Refused(results) => Reply::Result(results.into()),
            Outcome::Waiting(until) => {
                Reply::Later(until.map(|until| until.saturating_sub(waited)))
            }
            Outcome::Done(results, changes) => {
                self.commit(name, changes);
                Reply::Result(results.into())
            }
        }
    }

    /// Makes changes the content and tells everybody who watches.
    pub fn commit(&mut self, name: &str, changes: Changes) {
        let Some(database) = self.databases.get_mut(name) else { return };
        let Some(changes) = database.commit(changes) else { return };
        self.committed += 1;
        let Some(database) = self.databases.get(name) else { return };
        for session in self.sessions.values() {
            for monitor in session.monitors.iter().filter(|monitor| monitor.database == name) {
                if let Some(told) = monitor.changes(database, &changes) {
                    let _ = session.out.send(monitor.notification(database.last, &told));
                }
            }
        }
        self.retry();
    }

    /// Tries the transactions again whose `wait` was not fulfilled.
    pub fn retry(&mut self) {
        let numbers: Vec<u64> = self.waiting.iter().map(|waiting| waiting.number).collect();
        for number in numbers {
            let position = self.waiting.iter().position(|waiting| waiting.number == number);
            let Some(waiting) = position.map(|position| self.waiting.remove(position)) else {
                continue;
            };
            let waited = waiting.since.elapsed();
            let reply =
                self.attempt(waiting.session, &waiting.database, &waiting.operations, waited);
            match reply {
                Reply::Result(result) => {
                    let answer = json!({ "id": waiting.id, "result": result, "error": null });
                    self.tell(waiting.session, answer);
                }
                Reply::Later(_) => self.waiting.push(waiting),
                Reply::Error(_) | Reply::Hang => {}
            }
        }
    }

    fn cancel(&mut self, session: SessionId, params: &[Json]) {
        let position = self
            .waiting
            .iter()
            .position(|waiting| waiting.session == session && params.first() == Some(&waiting.id));
        if let Some(waiting) = position.map(|position| self.waiting.remove(position)) {
            let answer = json!({ "id": waiting.id, "result": null, "error": "canceled" });
            self.tell(session, answer);
        }
    }

    fn monitor(
        &mut self,
        session: SessionId,
        version: Version,
        params: &[Json],
    ) -> Result<Json, Refusal> {
        let (name, database) = self.database("monitor", params)?;
        let invalid = || Refusal::syntax("invalid parameters").at(&Json::Array(params.to_vec()));
        let (id, tables, last) = match (version, params) {
            (Version::One | Version::Two, [_, id, tables]) => (id, tables, None),
            (Version::Three, [_, id, tables, Json::String(last)]) => {
                let last = Uuid::try_parse(last).map_err(|_| invalid())?;
                (id, tables, Some(last))
            }
            _ => return Err(invalid()),
        };
        let known = self.sessions.get(&session).map(|session| &session.monitors);
        if known.into_iter().flatten().any(|monitor| monitor.id == *id) {
            return Err(Refusal::syntax("duplicate monitor ID").at(id));
        }
        let monitor = Monitor::read(version, id, (&name, database), tables)?;
        let reply = match last {
            None => monitor.initial(database),
            Some(last) => {
                let now = database.last.to_string();
                match database.since(last) {
                    Some(changes) => {
                        let told = monitor.changes(database, &changes);
                        json!([true, now, told.unwrap_or_else(|| json!({}))])
                    }
                    None => json!([false, now, monitor.initial(database)]),
                }
            }
        };
        if let Some(session) = self.sessions.get_mut(&session) {
            session.monitors.push(monitor);
        }
        Ok(reply)
    }

    fn monitor_change(&mut self, session: SessionId, params: &[Json]) -> Result<Json, Refusal> {
        let [old, new, tables] = params else {
            return Err(Refusal::syntax("invalid parameters").at(&Json::Array(params.to_vec())));
        };
        let unknown = || Refusal::syntax("unknown monitor session").at(old);
        let session = self.sessions.get_mut(&session).ok_or_else(unknown)?;
        let found = session.monitors.iter_mut().find(|monitor| monitor.id == *old);
        let monitor = found.ok_or_else(unknown)?;
        let database = self.databases.get(&monitor.database).ok_or_else(unknown)?;
        let mut changed = monitor.clone();
        let told = changed.change(database, tables)?;
        changed.id = new.clone();
        *monitor = changed;
        if let Some(told) = told {
            let _ = session.out.send(monitor.notification(database.last, &told));
        }
        Ok(json!({}))
    }

    fn monitor_cancel(&mut self, session: SessionId, params: &[Json]) -> Reply {
        let Some(session) = self.sessions.get_mut(&session) else { return Reply::Hang };
        let before = session.monitors.len();
        session.monitors.retain(|monitor| params.first() != Some(&monitor.id));
        if session.monitors.len() == before {
            return Reply::Error(json!("unknown monitor"));
        }
        Reply::Result(json!({}))
    }

    fn lock(&mut self, session: SessionId, how: &str, params: &[Json]) -> Result<Json, Refusal> {
        let name = lock_name(params)?;
        if self.locks.asked(name, session) {
            let details = format!("must issue \"unlock\" before new \"{how}\"");
            return Err(Refusal::syntax(details).at(&Json::Array(params.to_vec())));
        }
        if how == "lock" {
            return Ok(json!({ "locked": self.locks.lock(name, session) }));
        }
        if let Some(victim) = self.locks.steal(name, session) {
            self.tell_lock(victim, "stolen", name);
        }
        Ok(json!({ "locked": true }))
    }

    fn unlock(&mut self, session: SessionId, params: &[Json]) -> Result<Json, Refusal> {
        let name = lock_name(params)?;
        if !self.locks.asked(name, session) {
            let details = "unlock: \"unlock\" without \"lock\" or \"steal\"";
            return Err(Refusal::syntax(details).at(&Json::Array(params.to_vec())));
        }
        if let Some(next) = self.locks.unlock(name, session) {
            self.tell_lock(next, "locked", name);
        }
        Ok(json!({}))
    }
}

fn lock_name(params: &[Json]) -> Result<&str, Refusal> {
    match params {
        [Json::String(name)] => Ok(name),
        _ => Err(Refusal::syntax("lock name must be a string").at(&Json::Array(params.to_vec()))),
    }
}
