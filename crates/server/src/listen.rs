//! The listener: accepts connections up to a limit, speaks TLS and HTTP on them, and stops
//! gracefully. Not here: what is answered (`front`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::reply::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits;
use crate::tls::Tls;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What it says is encrypted.
    pub is_encrypted: bool,
}

/// What answers the requests of one connection.
pub trait Answering:
    Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
    > + Send
    + 'static
{
}

impl<S> Answering for S where
    S: Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = Infallible,
            Future: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
        > + Send
        + 'static
{
}

/// An open socket and how it is served.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<Tls>>,
    slots: Arc<Semaphore>,
}

impl Listener {
    /// Opens the socket; connections wait from now on and are served by [`Listener::serve`].
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn open(
        address: SocketAddr,
        tls: Option<Arc<Tls>>,
        connections_max: usize,
    ) -> anyhow::Result<Self> {
        let open = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(limits::BACKLOG)
        };
        let socket = open().with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { socket, tls, slots: Arc::new(Semaphore::new(connections_max)) })
    }

    /// Where it listens; tells the port where none was asked for.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Serves until `stop`; then nothing is accepted, and what is in flight has `drain` to end.
    /// True if everything did.
    pub async fn serve<S: Answering>(
        self,
        service: impl Fn(Peer) -> S,
        stop: impl Future<Output = ()>,
        drain: Duration,
    ) -> bool {
        // Each connection holds a receiver: it hears of the stop, and its end is heard here.
        let (stopping, stopped) = watch::channel(());
        let mut stop = std::pin::pin!(stop);
        loop {
            // The slot comes first: beyond the limit, connections wait in the system's queue.
            let accepted = async {
                let slot = self.slots.clone().acquire_owned().await;
                (slot, self.socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let tls = self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.current()));
            let service = service(Peer { address, is_encrypted: tls.is_some() });
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                if let Some(opened) = open(stream, tls, &mut stopped).await {
                    opened.serve(service, stopped).await;
                }
                drop(slot);
            });
        }
        drop(self.socket);
        drop(stopped);
        stopping.send_replace(());
        timeout(drain, stopping.closed()).await.is_ok()
    }
}

/// A connection whose protocol is known.
enum Opened {
    Plain(TcpStream, Protocol),
    Encrypted(Box<TlsStream<TcpStream>>, Protocol),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Finds out what is spoken; `None` when nothing comes in time, or the server stops first.
async fn open(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    stopped: &mut watch::Receiver<()>,
) -> Option<Opened> {
    let _ = stream.set_nodelay(true);
    let opening = async {
        match tls {
            None => first_bytes(&stream).await.map(|protocol| Opened::Plain(stream, protocol)),
            Some(tls) => tls.accept(stream).await.map(|stream| {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if is_http2 { Protocol::Http2 } else { Protocol::Http1 };
                Opened::Encrypted(Box::new(stream), protocol)
            }),
        }
    };
    tokio::select! {
        opened = timeout(limits::HEAD_TIMEOUT, opening) => match opened {
            Ok(Ok(opened)) => Some(opened),
            Ok(Err(error)) => {
                tracing::debug!("a connection was not opened: {error}");
                None
            }
            Err(_) => None,
        },
        _ = stopped.changed() => None,
    }
}

/// Without TLS, HTTP/2 is told by its preface: no method of HTTP/1 begins with `PR`.
async fn first_bytes(stream: &TcpStream) -> std::io::Result<Protocol> {
    let mut bytes = [0; 2];
    loop {
        match (stream.peek(&mut bytes).await?, bytes) {
            (0, _) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            // `PROPFIND` begins so too, and is none of ours: HTTP/2 refuses it as well.
            (2, [b'P', b'R']) => return Ok(Protocol::Http2),
            (1, [b'P', _]) => tokio::time::sleep(limits::PEEK_PAUSE).await,
            _ => return Ok(Protocol::Http1),
        }
    }
}

impl Opened {
    async fn serve<S: Answering>(self, service: S, stopped: watch::Receiver<()>) {
        match self {
            Self::Plain(stream, protocol) => {
                speak(TokioIo::new(stream), protocol, service, stopped).await;
            }
            Self::Encrypted(stream, protocol) => {
                speak(TokioIo::new(stream), protocol, service, stopped).await;
            }
        }
    }
}

async fn speak<I, S>(io: I, protocol: Protocol, service: S, mut stopped: watch::Receiver<()>)
where
    I: Read + Write + Unpin + Send + 'static,
    S: Answering,
{
    /// Serves, and from the stop on only what is in flight.
    macro_rules! until_stopped {
        ($connection:expr) => {{
            let mut connection = std::pin::pin!($connection);
            tokio::select! {
                ended = connection.as_mut() => ended,
                _ = stopped.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }};
    }
    let ended = match protocol {
        Protocol::Http1 => until_stopped!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits::HEAD_TIMEOUT)
                .max_buf_size(limits::HEAD_BYTES_MAX)
                .max_headers(limits::HEADERS_MAX)
                .serve_connection(io, service)
        ),
        Protocol::Http2 => until_stopped!(
            http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(limits::STREAMS_MAX)
                .max_header_list_size(limits::HEADER_LIST_BYTES_MAX)
                .keep_alive_interval(limits::PING_EVERY)
                .serve_connection(io, service)
        ),
    };
    if let Err(error) = ended {
        tracing::debug!("a connection broke off: {error}");
    }
}
