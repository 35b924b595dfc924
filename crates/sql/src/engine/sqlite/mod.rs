//! SQLite: one writer that commits for all who wait, some readers with snapshots of their own.
//! Not here: the group commit (`writer`), the statements (`connection`), the WAL (`checkpoint`).

mod checkpoint;
pub(crate) mod connection;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::OwnedSemaphorePermit;
use wire::fault::{Error, Result};
use wire::value::Value;

use self::connection::{Role, failure};
use self::writer::{Member, Queue};
use super::pool::Pool;
use super::{Cells, Flow, counted};
use crate::schema::Schema;
use crate::statement::Statement;
use crate::stats::{Counters, Queued, count};

/// Snapshots that are read at once.
const READERS: usize = 4;

/// A database file, or one in memory.
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
}

/// What all sessions have in common.
pub(crate) struct Shared {
    queue: Arc<Queue>,
    /// None in memory, where the writer's connection is the only one.
    file: Option<File>,
    schema: Schema,
    counters: Arc<Counters>,
}

struct File {
    path: PathBuf,
    readers: Pool<Connection>,
    /// Those of lists, kept for the next one: opening one and preparing the statement costs more
    /// than reading a hundred rows.
    streams: Pool<Connection>,
}

/// One transaction.
pub(crate) struct Session {
    shared: Arc<Shared>,
    seat: Seat,
}

enum Seat {
    Writer(Member),
    Reader(Reader),
}

/// A read-only snapshot. Dropping it ends it.
struct Reader {
    connection: Option<Connection>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let (Some(connection), Some(file)) = (self.connection.take(), &self.shared.file)
            && connection::turn(&connection, "ROLLBACK").is_ok()
        {
            file.readers.give(connection);
        }
    }
}

impl Sqlite {
    /// Opens a file, or `:memory:`, and starts the background work of a file.
    pub async fn open(place: &str, schema: Schema, counters: Arc<Counters>) -> Result<Self> {
        let memory = place == ":memory:";
        let path = Path::new(place.trim_start_matches("//")).to_path_buf();
        let writer = if memory {
            connection::open_memory()?
        } else {
            connection::create(&path)?;
            connection::open(&path, Role::Writer)?
        };
        let queue = Queue::new(writer, Arc::clone(&counters));
        let file = (!memory).then(|| File {
            path: path.clone(),
            readers: Pool::new(READERS),
            streams: Pool::new(crate::db::STREAMS),
        });
        if file.is_some() {
            tokio::spawn(checkpoint::run(path, Arc::downgrade(&queue)));
        }
        let shared = Arc::new(Shared { queue, file, schema, counters });
        Ok(Self { shared })
    }

    /// Begins a transaction: a turn at the writer, or a snapshot.
    pub async fn begin(&self, writing: bool) -> Result<Session> {
        let shared = Arc::clone(&self.shared);
        let seat = match (&shared.file, writing) {
            (_, true) => Seat::Writer(Member::join(&shared.queue).await?),
            (None, false) => Seat::Writer(Member::look(&shared.queue).await?),
            (Some(file), false) => {
                let waiting = Queued::enter(&shared.counters.queue);
                let (permit, idle) = file.readers.take().await?;
                drop(waiting);
                let connection = match idle {
                    Some(connection) => connection,
                    None => connection::open(&file.path, Role::Reader)?,
                };
                connection::turn(&connection, "BEGIN")
                    .map_err(|error| failure(error, None).error("BEGIN"))?;
                let shared = Arc::clone(&shared);
                Seat::Reader(Reader { connection: Some(connection), shared, _permit: permit })
            }
        };
        Ok(Session { shared, seat })
    }

    /// Reads on a thread and a connection of its own, chunk by chunk as the caller takes them.
    pub async fn stream(&self, flow: Arc<Flow>) -> Result<()> {
        let Some(file) = &self.shared.file else {
            return stream_memory(&self.shared, &flow).await;
        };
        let (permit, idle) = file.streams.take().await?;
        let path = file.path.clone();
        let runtime = tokio::runtime::Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            let connection = match idle {
                Some(connection) => connection,
                None => connection::open(&path, Role::Lister)?,
            };
            let give = &mut |cells| runtime.block_on(flow.give(cells));
            connection::each_chunk(&connection, &flow.sql, &flow.params, flow.chunk, give)
                .map_err(|error| failure(error, None).error(&flow.sql))?;
            Ok::<_, Error>(connection)
        });
        let connection = thread.await.map_err(|error| Error::Internal(error.into()))??;
        file.streams.give(connection);
        drop(permit);
        Ok(())
    }
}

/// In memory there is one connection: the whole answer is read in one turn at it.
async fn stream_memory(shared: &Arc<Shared>, flow: &Flow) -> Result<()> {
    let member = Member::look(&shared.queue).await?;
    let mut chunks = Vec::new();
    let read = member.on(|connection| {
        connection::each_chunk(connection, &flow.sql, &flow.params, flow.chunk, &mut |cells| {
            chunks.push(cells);
            true
        })
    })?;
    read.map_err(|error| failure(error, None).error(&flow.sql))?;
    member.end(false).await?;
    for cells in chunks {
        if !flow.give(cells).await {
            break;
        }
    }
    Ok(())
}

impl Session {
    fn on<T>(
        &self,
        sql: &str,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<rusqlite::Result<T>> {
        count(&self.shared.counters.statements);
        match &self.seat {
            Seat::Writer(member) => member.on(act),
            Seat::Reader(Reader { connection: Some(connection), .. }) => Ok(act(connection)),
            Seat::Reader(_) => Err(Error::internal(format!("no connection for: {sql}"))),
        }
    }

    /// Sends the pending statements, then reads.
    pub fn rows(
        &mut self,
        pending: &mut [Statement],
        sql: &str,
        params: &[Value],
    ) -> Result<Cells> {
        self.send(pending)?;
        self.on(sql, |connection| connection::rows(connection, sql, params))?
            .map_err(|error| failure(error, Some(&self.shared.schema)).error(sql))
    }

    /// Sends the statements; how many rows each has changed.
    pub fn send(&mut self, statements: &mut [Statement]) -> Result<Vec<u64>> {
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            let done = self.on(&statement.sql, |connection| {
                connection::execute(connection, &statement.sql, &statement.params)
            })?;
            let rows =
                done.map_err(|error| failure(error, Some(&self.shared.schema)).of(statement))?;
            changed.push(counted(statement, rows)?);
        }
        Ok(changed)
    }

    /// Sends the statements and waits until the group's commit is on the disk.
    pub async fn commit(mut self, statements: &mut [Statement]) -> Result<()> {
        let sent = self.send(statements);
        match self.seat {
            Seat::Reader(_) => sent.map(drop),
            Seat::Writer(member) => {
                let ended = member.end(sent.is_ok()).await;
                sent?;
                ended
            }
        }
    }

    /// Undoes this transaction alone. Returns when what it has read is on the disk.
    pub async fn rollback(self) -> Result<()> {
        match self.seat {
            Seat::Reader(_) => Ok(()),
            Seat::Writer(member) => member.end(false).await,
        }
    }
}
