//! The task behind a client: it goes from remote to remote until one serves, keeps the replica in
//! step, and carries transactions and locks.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::client::{Options, Shared, Status};
use crate::connection::{Connection, Incoming, Why};
use crate::error::TransactError;
use crate::layout::{Layout, RowChange};
use crate::leader::{Seen, ServerState};
use crate::lock::LockRequests;
use crate::monitor::{self, Beginning, Told};
use crate::remote::Remote;
use crate::replica::Replica;
use crate::rpc::{self, Message};
use crate::schema::Schema;

/// How many probes may stay without an answer while everything is loaded. `ovsdb-server` has one
/// thread: half a million rows keep it from answering for longer than a dead one is waited for.
const LOAD_PROBES: u32 = 12;

/// What a client asks of its session.
pub(crate) enum Command {
    /// Send these `params` of a `transact`.
    Transact { params: String, reply: Answered },
    /// Somebody wants this lock.
    Lock(String),
    /// Nobody wants it any more.
    Unlock(String),
    /// End.
    Stop(oneshot::Sender<()>),
}

pub(crate) type Commands = mpsc::UnboundedSender<Command>;
type Answered = oneshot::Sender<Result<Reply, TransactError>>;

/// A reply to a transaction as it came.
pub(crate) struct Reply {
    pub result: Json,
    pub error: Json,
}

pub(crate) struct Session {
    options: Options,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// The latest transaction that the replica shows.
    last: Option<Uuid>,
    seen: Option<Seen>,
    /// What was last said against each remote: one that stays away is told of once.
    complaints: HashMap<String, Why>,
}

/// Why a session with one server ended.
enum End {
    /// Nobody needs the client any more.
    Stop(Option<oneshot::Sender<()>>),
    Lost(Why),
}

/// A connection that follows the database.
struct Established {
    connection: Connection,
    server: Option<ServerState>,
    layout: Arc<Layout>,
    beginning: Beginning,
}

/// A connection at work.
struct Work {
    connection: Connection,
    server: Option<ServerState>,
    transactions: HashMap<u64, Answered>,
    locks: LockRequests,
}

impl Session {
    pub fn new(
        options: Options,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self { options, shared, commands, last: None, seen: None, complaints: HashMap::new() }
    }

    /// Until it is stopped.
    pub async fn run(mut self) {
        let remotes = self.options.remotes.clone();
        let mut failures = 0;
        for remote in remotes.iter().cycle() {
            let began = Instant::now();
            let mut end = self.one(remote).await;
            if let End::Lost(why) = end {
                self.lost(remote, why);
                let served = began.elapsed() > self.options.backoff.1;
                failures = if served { 1 } else { failures + 1 };
                end = self.pause(failures).await;
            }
            if let End::Stop(reply) = end {
                return self.stop(reply);
            }
        }
        self.lost_because("there is no remote".to_owned());
    }

    /// With one remote until it is lost.
    async fn one(&mut self, remote: &Remote) -> End {
        let established = match self.reach(remote).await {
            Ok(established) => established,
            Err(end) => return end,
        };
        let Established { connection, server, layout, beginning } = established;
        if let Err(why) = self.come_into_step(&layout, beginning) {
            return End::Lost(why);
        }
        info!(%remote, database = self.options.database, "in step");
        self.complaints.clear();
        let transactions = HashMap::new();
        let mut work = Work { connection, server, transactions, locks: LockRequests::default() };
        let end = self.serve(&mut work).await;
        for (_, reply) in work.transactions.drain() {
            // Whoever no longer waits does not need to know.
            let _ = reply.send(Err(TransactError::Unknown));
        }
        end
    }

    /// Connects, while nothing can be asked for.
    async fn reach(&mut self, remote: &Remote) -> Result<Established, End> {
        let known = self.known();
        let attempt = establish(&self.options, remote, &known, self.last, &mut self.seen);
        let mut attempt = std::pin::pin!(attempt);
        loop {
            tokio::select! {
                result = &mut attempt => return result.map_err(End::Lost),
                command = self.commands.recv() => {
                    if let Some(end) = while_away(command) {
                        return Err(end);
                    }
                }
            }
        }
    }

    async fn serve(&mut self, work: &mut Work) -> End {
        for name in self.shared.locks.names() {
            work.lock(&self.shared, &name);
        }
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                incoming = work.connection.receive() => {
                    let taken = incoming.and_then(|incoming| self.take(work, incoming));
                    if let Err(why) = taken {
                        return End::Lost(why);
                    }
                }
                count = self.commands.recv_many(&mut batch, 256) => {
                    if count == 0 {
                        return End::Stop(None);
                    }
                    for command in batch.drain(..) {
                        if let Some(reply) = work.command(&self.shared, command) {
                            return End::Stop(Some(reply));
                        }
                    }
                }
            }
        }
    }

    /// Takes one message of the server.
    fn take(&mut self, work: &mut Work, incoming: Incoming) -> Result<(), Why> {
        if let Some(server) = &mut work.server
            && server.takes(&incoming)?
        {
            return server.check(&self.options.database, &mut self.seen);
        }
        match Told::from(incoming) {
            Told::Update(update) => {
                self.apply(update.rows)?;
                self.last = update.last.or(self.last);
            }
            Told::Other(message) => work.take(&self.shared, message)?,
        }
        Ok(())
    }

    fn known(&self) -> Arc<Layout> {
        let replica = self.shared.replica.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(replica.layout())
    }

    /// Makes the replica what the server says at the beginning.
    fn come_into_step(&mut self, layout: &Arc<Layout>, beginning: Beginning) -> Result<(), Why> {
        if beginning.resumed {
            self.apply(beginning.rows)?;
        } else {
            // The former replica can be read while the new one is built beside it.
            let mut fresh = Replica::new(Arc::clone(layout), &self.options.indexes);
            fresh.apply(beginning.rows).map_err(|error| error.to_string())?;
            let mut place = self.shared.replica.write().unwrap_or_else(PoisonError::into_inner);
            let former = std::mem::replace(&mut *place, fresh);
            drop(place);
            drop(former);
        }
        self.last = beginning.last;
        self.shared.loaded.store(true, Ordering::Release);
        self.shared.status.send_modify(|status| {
            *status = Status { connected: true, why: None, generation: status.generation + 1 };
        });
        Ok(())
    }

    fn apply(&mut self, rows: Vec<RowChange>) -> Result<(), Why> {
        let mut replica = self.shared.replica.write().unwrap_or_else(PoisonError::into_inner);
        let applied = replica.apply(rows);
        drop(replica);
        match applied {
            Ok(changes) if changes.is_empty() => {}
            Ok(changes) => {
                // Nobody needs to listen.
                let _ = self.shared.changes.send(changes.into());
            }
            Err(error) => {
                self.last = None;
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    fn lost(&mut self, remote: &Remote, why: Why) {
        let remote = remote.to_string();
        if self.complaints.get(&remote) != Some(&why) {
            warn!(database = self.options.database, %remote, "not connected: {why}");
        }
        self.lost_because(format!("{remote}: {why}"));
        self.complaints.insert(remote, why);
    }

    fn lost_because(&self, why: Why) {
        self.shared.locks.tell_all_lost();
        self.shared.status.send_if_modified(|status| {
            let changed = status.connected || status.why.as_ref() != Some(&why);
            status.connected = false;
            status.why = Some(why);
            changed
        });
    }

    /// Waits before the next attempt: not while there are untried remotes, then ever longer.
    async fn pause(&mut self, failures: usize) -> End {
        let remotes = self.options.remotes.len().max(1);
        let (least, greatest) = self.options.backoff;
        let rounds = failures / remotes;
        let mut delay = Duration::ZERO;
        if failures.is_multiple_of(remotes) {
            let doublings = u32::try_from(rounds.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
            delay = least.saturating_mul(1 << doublings).min(greatest);
        }
        let sleep = tokio::time::sleep(jittered(delay));
        let mut sleep = std::pin::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return End::Lost(String::new()),
                command = self.commands.recv() => {
                    if let Some(end) = while_away(command) {
                        return end;
                    }
                }
            }
        }
    }

    fn stop(mut self, reply: Option<oneshot::Sender<()>>) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Some(End::Stop(Some(other))) = while_away(Some(command)) {
                let _ = other.send(());
            }
        }
        drop(self);
        if let Some(reply) = reply {
            let _ = reply.send(());
        }
    }
}

/// However it ends, even by a panic in a function that an index was given: nobody waits for it.
impl Drop for Session {
    fn drop(&mut self) {
        let known = self.shared.status.borrow().why.clone();
        self.lost_because(known.unwrap_or_else(|| "the client ended".to_owned()));
    }
}

/// Handles a command while there is no connection; `Some` when it ends the session.
fn while_away(command: Option<Command>) -> Option<End> {
    match command {
        Some(Command::Transact { reply, .. }) => {
            let _ = reply.send(Err(TransactError::Disconnected));
            None
        }
        // All locks that are wanted are asked for after connecting.
        Some(Command::Lock(_) | Command::Unlock(_)) => None,
        Some(Command::Stop(reply)) => Some(End::Stop(Some(reply))),
        None => Some(End::Stop(None)),
    }
}

impl Work {
    /// Handles a command; `Some` when it is the end.
    fn command(&mut self, shared: &Shared, command: Command) -> Option<oneshot::Sender<()>> {
        match command {
            Command::Transact { params, reply } => {
                let id = self.connection.next_id();
                self.transactions.insert(id, reply);
                self.connection.send(rpc::request_of_text(id, "transact", &params));
            }
            Command::Lock(name) => self.lock(shared, &name),
            Command::Unlock(name) => {
                if self.locks.forget(&name) {
                    self.connection.request("unlock", &json!([name]));
                }
            }
            Command::Stop(reply) => return Some(reply),
        }
        None
    }

    fn lock(&mut self, shared: &Shared, name: &str) {
        let Some(steal) = shared.locks.asked(name) else { return };
        let known = self.locks.knows(name);
        if known && !steal {
            return;
        }
        if known {
            // The server takes one request for a name at a time.
            self.connection.request("unlock", &json!([name]));
        }
        let method = if steal { "steal" } else { "lock" };
        let id = self.connection.request(method, &json!([name]));
        self.locks.asked(id, name);
    }

    /// Takes a message that is no update.
    fn take(&mut self, shared: &Shared, message: Message) -> Result<(), Why> {
        match message {
            Message::Reply { id, result, error } => {
                let id = id.as_u64().unwrap_or_default();
                if let Some(reply) = self.transactions.remove(&id) {
                    // Whoever gave up waiting does not need it.
                    let _ = reply.send(Ok(Reply { result, error }));
                } else if let Some(name) = self.locks.answered(id) {
                    if !error.is_null() {
                        warn!(name, "the server refuses the lock: {error}");
                    }
                    shared.locks.tell(&name, result.get("locked") == Some(&Json::Bool(true)));
                }
            }
            Message::Notification { method, params } => {
                let name = params.get(0).and_then(Json::as_str).unwrap_or_default();
                match method.as_str() {
                    // What is on the way while a newer request is too belongs to an older one.
                    "locked" | "stolen" if self.locks.is_settled(name) => {
                        shared.locks.tell(name, method == "locked");
                    }
                    "monitor_canceled" => return Err("the server ended the monitor".to_owned()),
                    _ => {}
                }
            }
            Message::Request { id, .. } => self.connection.send(rpc::refusal(&id)),
        }
        Ok(())
    }
}

/// Connects, sees whether the server is good enough, and begins to follow: from `last` on if it has
/// the same schema as before.
async fn establish(
    options: &Options,
    remote: &Remote,
    known: &Arc<Layout>,
    last: Option<Uuid>,
    seen: &mut Option<Seen>,
) -> Result<Established, Why> {
    debug!(%remote, "connecting");
    let open = Connection::open(remote, options.tls.as_ref(), options.probe);
    let mut connection = timeout(options.timeout, open)
        .await
        .map_err(|_| format!("cannot connect within {:?}", options.timeout))??;
    let server = ServerState::follow(&mut connection, options.leader_only).await?;
    if let Some(server) = &server {
        server.check(&options.database, seen)?;
    }
    let schema = connection.ask("get_schema", &json!([options.database])).await?;
    let schema = Schema::from_json(&schema.result("get_schema")?)?;
    let (layout, last) = if *known.schema == schema {
        (Arc::clone(known), last)
    } else {
        (Arc::new(Layout::new(Arc::new(schema), &options.tables)), None)
    };
    // A server that puts a large answer together does nothing else meanwhile.
    connection.bear_silence(LOAD_PROBES);
    let beginning = monitor::begin(&mut connection, &layout, last).await?;
    connection.bear_silence(1);
    Ok(Established { connection, server, layout, beginning })
}

/// Between half of it and all, so that many clients do not come at once.
fn jittered(delay: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    delay / 2 + delay.mul_f64(f64::from(u32::try_from(random).unwrap_or_default()) / 2000.0)
}
