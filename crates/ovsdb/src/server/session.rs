//! A connection: splits the stream into messages, hands each to [`super::state`], and writes what
//! comes back. Not here: what a message means.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::Shared;

/// The number of a connection.
pub(super) type SessionId = u64;

/// Serves a connection until either side ends it.
pub(super) async fn serve<S>(shared: Arc<Shared>, session: SessionId, stream: S, out: Outgoing)
where
    S: AsyncRead + AsyncWrite,
{
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        () = read(&shared, session, reader) => {}
        () = write(&shared, out, writer) => {}
    }
    shared.state().leave(session);
}

/// What a session is to be told.
pub(super) type Outgoing = mpsc::UnboundedReceiver<Json>;

async fn read(shared: &Arc<Shared>, session: SessionId, mut from: impl AsyncRead + Unpin) {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return };
        frames.feed(bytes);
        while let Some(frame) = frames.next() {
            shared.gate().await;
            let Ok(message) = frame else { return };
            if !shared.received(session, &message) {
                return;
            }
        }
    }
}

async fn write(shared: &Arc<Shared>, mut out: Outgoing, mut to: impl AsyncWrite + Unpin) {
    while let Some(message) = out.recv().await {
        shared.running().await;
        if to.write_all(message.to_string().as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The messages of a stream: JSON texts one after the other without anything between.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    looked: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Frames {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete message; an error where the stream is no JSON.
    fn next(&mut self) -> Option<Result<Json, ()>> {
        while let Some(byte) = self.bytes.get(self.looked) {
            self.looked += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth <= 1 => {
                    self.depth = 0;
                    let frame: Vec<u8> = self.bytes.drain(..self.looked).collect();
                    self.looked = 0;
                    return Some(serde_json::from_slice(&frame).map_err(|_| ()));
                }
                b'}' | b']' => self.depth -= 1,
                byte if self.depth == 0 && !byte.is_ascii_whitespace() => return Some(Err(())),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let text = br#" {"a":"}\"{"}{"b":[{}]} {"c":1}"#;
        for cut in 0..text.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                frames.feed(part);
                while let Some(frame) = frames.next() {
                    found.push(frame.unwrap().to_string());
                }
            }
            assert_eq!(found, [r#"{"a":"}\"{"}"#, r#"{"b":[{}]}"#, r#"{"c":1}"#], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        let mut frames = Frames::default();
        frames.feed(b"{x}");
        assert_eq!(frames.next(), Some(Err(())));
    }
}
