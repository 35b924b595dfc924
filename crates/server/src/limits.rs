//! Every limit of the listener that is not an option. All limits, with those of the other crates:
//! `docs/limits.md`.

use std::time::Duration;

/// The time for a TLS handshake, for the head of a request, and for its first bytes.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The time for the body of a request, from the first wait for it.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of the head of a request, HTTP/1.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Header lines of a request, HTTP/1.
pub const HEADERS_MAX: usize = 100;
/// Bytes of the head of a request, HTTP/2.
pub const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 128;
/// An HTTP/2 connection is asked whether it is still there this often.
pub const PING_EVERY: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted.
pub const BACKLOG: u32 = 1024;
/// The pause after the system has refused a connection (no file descriptors left).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The pause until the second byte of a connection is looked for.
pub const PEEK_PAUSE: Duration = Duration::from_millis(5);
