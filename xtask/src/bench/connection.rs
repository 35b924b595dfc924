//! HTTP/1.1 over one kept-alive connection, with as little work as can be: the generator shares
//! the machine with what it measures. No TLS, no redirects, no HTTP/2.

use std::io;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where requests go and what every one of them carries.
#[derive(Clone)]
pub struct Target {
    address: String,
    prefix: String,
    headers: String,
}

impl Target {
    /// From `http://HOST[:PORT][/PREFIX]` and headers `Name: value`.
    pub fn new(url: &str, headers: &[(String, String)]) -> Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| {
            format!("{url:?}: only http:// is measured; put a TLS proxy's backend here")
        })?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let prefix = match prefix.trim_end_matches('/').trim_end_matches("v2.0") {
            "" => String::new(),
            prefix => format!("/{}", prefix.trim_end_matches('/')),
        };
        let mut lines = format!("Host: {host}\r\nAccept: application/json\r\n");
        for (name, value) in headers {
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
        Ok(Target { address, prefix, headers: lines })
    }

    /// The bytes of a request. An empty body is none.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let Target { prefix, headers, .. } = self;
        let mut text = format!("{method} {prefix}{path} HTTP/1.1\r\n{headers}");
        if !body.is_empty() {
            let length = body.len();
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            ));
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }
}

/// One connection, made again where the server closes it after a reply, as uWSGI does. After an
/// error it is of no use any more.
pub struct Connection {
    address: String,
    stream: TcpStream,
    /// Whether the server said that it closes after the last reply.
    closing: bool,
    /// What came and is not yet taken.
    buffer: Vec<u8>,
    /// The body of the last reply.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(target: &Target) -> io::Result<Self> {
        let address = target.address.clone();
        let stream = connect(&address).await?;
        let (buffer, body) = (Vec::new(), Vec::new());
        Ok(Connection { address, stream, closing: false, buffer, body })
    }

    /// Sends a request and reads the whole reply; returns its status.
    pub async fn send(&mut self, request: &[u8]) -> Result<u16> {
        if self.closing {
            self.stream = connect(&self.address).await?;
            self.buffer.clear();
        }
        self.stream.write_all(request).await?;
        self.body.clear();
        let end = self.read_until(b"\r\n\r\n").await?;
        let head = Head::read(self.buffer.get(..end).unwrap_or_default())?;
        self.buffer.drain(..end);
        self.closing = head.closing;
        match head.body {
            Body::Length(length) => self.take(length).await?,
            Body::Chunks => self.read_chunks().await?,
            Body::ToTheEnd => {
                self.stream.read_to_end(&mut self.buffer).await?;
                self.take(self.buffer.len()).await?;
            }
        }
        Ok(head.status)
    }

    async fn read_chunks(&mut self) -> Result<()> {
        loop {
            let end = self.read_until(b"\r\n").await?;
            let line = std::str::from_utf8(self.buffer.get(..end).unwrap_or_default())?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).context("the length of a chunk")?;
            self.buffer.drain(..end);
            self.take(length).await?;
            let end = self.read_until(b"\r\n").await?;
            self.buffer.drain(..end);
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Moves so many bytes into the body.
    async fn take(&mut self, length: usize) -> Result<()> {
        while self.buffer.len() < length {
            self.read().await?;
        }
        self.body.extend(self.buffer.drain(..length));
        Ok(())
    }

    /// Reads until the mark is in the buffer; returns the position behind it.
    async fn read_until(&mut self, mark: &[u8]) -> Result<usize> {
        let mut searched = 0_usize;
        loop {
            let from = searched.saturating_sub(mark.len());
            let unseen = self.buffer.get(from..).unwrap_or_default();
            if let Some(position) = unseen.windows(mark.len()).position(|it| it == mark) {
                return Ok(from + position + mark.len());
            }
            searched = self.buffer.len();
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<()> {
        if self.buffer.capacity() - self.buffer.len() < 4096 {
            self.buffer.reserve(64 * 1024);
        }
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection in the middle of a reply");
        }
        Ok(())
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Head {
    status: u16,
    body: Body,
    closing: bool,
}

/// How the end of a body is known.
enum Body {
    Length(usize),
    Chunks,
    ToTheEnd,
}

impl Head {
    fn read(head: &[u8]) -> Result<Self> {
        let head = std::str::from_utf8(head)?;
        let status = head.get(9..12).context("a reply without a status")?.parse()?;
        let mut closing = head.starts_with("HTTP/1.0");
        let mut body = None;
        for (name, value) in head.lines().skip(1).filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(Body::Length(value.parse()?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = Some(Body::Chunks);
            } else if name.eq_ignore_ascii_case("connection") {
                closing = value.eq_ignore_ascii_case("close");
            }
        }
        let without = matches!(status, 204 | 304) || !closing;
        let body = body.unwrap_or(if without { Body::Length(0) } else { Body::ToTheEnd });
        Ok(Head { status, body, closing })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// On each connection, one after the other, sends these pieces, whatever is asked.
    async fn served(connections: &'static [&'static [&'static str]]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for pieces in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                stream.read_u8().await.unwrap();
                for piece in *pieces {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                stream.shutdown().await.unwrap();
                // Until the client is done: a reset would take the replies with it.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        });
        Connection::open(&Target::new(&url, &[]).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn replies_with_a_length_or_in_chunks_are_read_whole_one_after_the_other() {
        let mut connection = served(&[&[
            "HTTP/1.1 200 OK\r\ncontent-le",
            "ngth: 5\r\n\r\nhel",
            "loHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r",
            "\n2;x=y\r\nde\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ]])
        .await;
        assert_eq!(connection.send(b"?").await.unwrap(), 200);
        assert_eq!(connection.body, b"hello");
        assert_eq!(connection.send(b"?").await.unwrap(), 201);
        assert_eq!(connection.body, b"abcde");
        assert_eq!(connection.send(b"?").await.unwrap(), 204);
        assert!(connection.body.is_empty());
    }

    #[tokio::test]
    async fn a_server_that_closes_after_each_reply_is_asked_on_a_new_connection() {
        let mut connection = served(&[
            &["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"],
            &["HTTP/1.0 200 OK\r\n\r\nb", "c"],
            &["HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"],
        ])
        .await;
        for (status, body) in [(200, "a"), (200, "bc"), (204, "")] {
            assert_eq!(connection.send(b"?").await.unwrap(), status);
            assert_eq!(connection.body, body.as_bytes());
        }
    }

    #[test]
    fn a_request_goes_under_the_prefix_of_the_url_with_its_headers() {
        let header = ("X-Auth-Token".to_owned(), "t".to_owned());
        let target = Target::new("http://a/networking/v2.0/", &[header]).unwrap();
        let request = String::from_utf8(target.request("GET", "/v2.0/ports", "")).unwrap();
        assert!(request.starts_with("GET /networking/v2.0/ports HTTP/1.1\r\nHost: a\r\n"));
        assert!(request.contains("\r\nX-Auth-Token: t\r\n") && request.ends_with("\r\n\r\n"));
        assert!(Target::new("https://a", &[]).is_err());
    }
}
