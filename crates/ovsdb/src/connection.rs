//! One connection to one server: bytes in and out, messages cut and read, `echo` answered, and
//! silence noticed. Not here: which server, and what is said (`session`, `monitor`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::frame::{Framer, Limits, Piece};
use crate::layout::{Layout, RowChange, Texts};
use crate::remote::Remote;
use crate::rpc::{self, Message};
use crate::tls::TlsFiles;

/// How much is read at once.
const PORTION: usize = 64 << 10;

/// Why a connection is of no more use, for people.
pub(crate) type Why = String;

/// What came: a message and the rows that were cut out of it.
pub(crate) struct Incoming {
    pub message: Message,
    pub rows: Vec<RowChange>,
}

pub(crate) struct Connection {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    portion: Box<[u8]>,
    framer: Framer,
    intake: Intake,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    writer: JoinHandle<()>,
    probe: Duration,
    heard: Instant,
    /// Probes without an answer, and how many there may be.
    unanswered: u32,
    bearable: u32,
    next_id: u64,
}

/// What was read and is not fetched yet.
#[derive(Default)]
struct Intake {
    layout: Option<Arc<Layout>>,
    texts: Texts,
    rows: Vec<RowChange>,
    ready: VecDeque<Incoming>,
    /// The first thing that could not be read; nothing behind it counts.
    broken: Option<Why>,
}

impl Connection {
    /// Connects. A `probe` of zero never asks whether the server is there.
    pub async fn open(
        remote: &Remote,
        tls: Option<&TlsFiles>,
        probe: Duration,
    ) -> Result<Self, Why> {
        let io = |error: std::io::Error| format!("cannot connect: {error}");
        match remote {
            Remote::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(io)?;
                Ok(Self::over(stream, probe))
            }
            Remote::Tcp(host, port) => Ok(Self::over(tcp(host, *port).await?, probe)),
            Remote::Ssl(host, port) => {
                let files = tls.ok_or("there are no certificates for ssl")?;
                let connector = files.connector()?;
                let stream = tcp(host, *port).await?;
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| format!("{host} is no name of a host"))?;
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| format!("TLS failed: {error}"))?;
                Ok(Self::over(stream, probe))
            }
        }
    }

    fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static, probe: Duration) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let (outgoing, texts) = mpsc::unbounded_channel();
        Self {
            reader: Box::new(reader),
            portion: vec![0; PORTION].into(),
            framer: Framer::new(Limits::default()),
            intake: Intake::default(),
            outgoing,
            writer: tokio::spawn(write(writer, texts)),
            probe,
            heard: Instant::now(),
            unanswered: 0,
            bearable: 1,
            next_id: 0,
        }
    }

    /// From here on rows of the notifications of `monitor`, and of its reply, are cut out and read
    /// with this layout.
    pub fn cut_rows_of(&mut self, monitor: &str, layout: Arc<Layout>) {
        self.framer.cut_rows_of(monitor);
        self.intake.layout = Some(layout);
    }

    /// From here on so many probes may stay without an answer.
    pub fn bear_silence(&mut self, probes: u32) {
        self.bearable = probes;
    }

    /// Sends a request; the `id` that its reply will have. What cannot be sent shows when
    /// receiving.
    pub fn request(&mut self, method: &str, params: &Json) -> u64 {
        let id = self.next_id();
        self.send(rpc::request(id, method, params));
        id
    }

    pub fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn send(&self, text: Vec<u8>) {
        // The writer ends only with the connection, which the reader sees too.
        let _ = self.outgoing.send(text);
    }

    /// Sends a request and waits for its reply; what comes before it can be received afterwards.
    pub async fn ask(&mut self, method: &str, params: &Json) -> Result<Answer, Why> {
        let id = Json::from(self.request(method, params));
        let mut before = Vec::new();
        loop {
            let Incoming { message, rows } = self.receive().await?;
            match message {
                Message::Reply { id: other, result, error } if other == id => {
                    before.into_iter().rev().for_each(|one| self.intake.ready.push_front(one));
                    return Ok(Answer { result, error, rows });
                }
                message => before.push(Incoming { message, rows }),
            }
        }
    }

    /// The next message that is no `echo` of either side. May be dropped while it waits.
    pub async fn receive(&mut self) -> Result<Incoming, Why> {
        let mut portions = 0_u32;
        loop {
            while let Some(incoming) = self.intake.ready.pop_front() {
                if !self.is_echo(&incoming.message) {
                    return Ok(incoming);
                }
            }
            if let Some(why) = self.intake.broken.take() {
                return Err(why);
            }
            self.read().await?;
            portions += 1;
            if portions.is_multiple_of(16) {
                // A long load shares its thread.
                tokio::task::yield_now().await;
            }
        }
    }

    async fn read(&mut self) -> Result<(), Why> {
        let read = if self.probe.is_zero() {
            self.reader.read(&mut self.portion).await
        } else {
            match timeout_at(self.heard + self.probe, self.reader.read(&mut self.portion)).await {
                Ok(read) => read,
                Err(_) => return self.silence(),
            }
        };
        let length = match read {
            Ok(0) => return Err("the server closed the connection".to_owned()),
            Ok(length) => length,
            Err(error) => return Err(format!("cannot read: {error}")),
        };
        self.heard = Instant::now();
        self.unanswered = 0;
        let bytes = self.portion.get(..length).unwrap_or_default();
        let intake = &mut self.intake;
        self.framer
            .feed(bytes, |piece| intake.take(piece))
            .map_err(|error| format!("the server does not speak the protocol: {error}"))
    }

    fn silence(&mut self) -> Result<(), Why> {
        if self.unanswered >= self.bearable {
            let silent = self.probe * (self.unanswered + 1);
            return Err(format!("the server was silent for {silent:?}"));
        }
        self.send(json!({"id": "echo", "method": "echo", "params": []}).to_string().into_bytes());
        self.heard = Instant::now();
        self.unanswered += 1;
        Ok(())
    }

    fn is_echo(&self, message: &Message) -> bool {
        match message {
            Message::Request { id, method, params } if method == "echo" => {
                self.send(rpc::reply(id, params));
                true
            }
            Message::Reply { id, .. } => id == "echo",
            _ => false,
        }
    }
}

/// A reply.
pub(crate) struct Answer {
    pub result: Json,
    pub error: Json,
    pub rows: Vec<RowChange>,
}

impl Answer {
    /// The result, or what the server said against it.
    pub fn result(self, asked: &str) -> Result<Json, Why> {
        if self.error.is_null() { Ok(self.result) } else { Err(format!("{asked}: {}", self.error)) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Intake {
    fn take(&mut self, piece: Piece<'_>) {
        if self.broken.is_none()
            && let Err(why) = self.read(piece)
        {
            self.broken = Some(why);
        }
    }

    fn read(&mut self, piece: Piece<'_>) -> Result<(), Why> {
        match piece {
            Piece::Message(text) => {
                let message = Message::parse(text)?;
                let rows = std::mem::take(&mut self.rows);
                self.ready.push_back(Incoming { message, rows });
            }
            Piece::Row { table, uuid, json } => {
                let layout = self.layout.as_ref().ok_or("a row came unasked")?;
                let wrong = |error| format!("a row is no JSON: {error}");
                let table: String = serde_json::from_slice(table).map_err(wrong)?;
                let uuid: String = serde_json::from_slice(uuid).map_err(wrong)?;
                let json: Json = serde_json::from_slice(json).map_err(wrong)?;
                self.rows.push(layout.read(&table, &uuid, &json, &mut self.texts)?);
            }
        }
        Ok(())
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, Why> {
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    // A transaction waits for nobody else's bytes.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Writes what comes, all that waits at once, until it cannot or nobody sends any more.
async fn write(mut writer: impl AsyncWrite + Unpin, mut texts: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(mut batch) = texts.recv().await {
        while batch.len() < PORTION
            && let Ok(text) = texts.try_recv()
        {
            batch.extend_from_slice(&text);
        }
        if writer.write_all(&batch).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}
