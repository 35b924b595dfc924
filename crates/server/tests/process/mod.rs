//! The program in a process of its own, and a client that speaks just enough HTTP to it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use serde_json::Value as Json;

pub mod ovsdb;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nucleon"));
    command.args(arguments).env_clear().env("XDG_DATA_HOME", home).stdin(Stdio::null());
    command
}

/// Runs the program to its end; what it says must fit into a pipe.
pub fn nucleon(home: &Path, arguments: &[&str]) -> Output {
    let mut child =
        command(home, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("{arguments:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// A server that is running. Killed when it is dropped.
pub struct Program {
    child: std::cell::RefCell<Child>,
    said: String,
    url: String,
    log: PathBuf,
}

impl Program {
    /// Starts `nucleon serve` on a free port and waits until it listens.
    pub fn start(home: &Path, arguments: &[&str]) -> Self {
        let log = home.join("log");
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = command(home, &all)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut program =
            Self { child: child.into(), said: String::new(), url: String::new(), log };
        for line in lines {
            let line = line.unwrap();
            program.said.push_str(&line);
            program.said.push('\n');
            if let Some(url) = line.strip_prefix("listening on ") {
                program.url = url.to_owned();
                return program;
            }
        }
        let log = std::fs::read_to_string(&program.log).unwrap();
        panic!("it did not start: {}{log}", program.said);
    }

    pub fn said(&self) -> String {
        self.said.clone()
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.borrow().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    pub fn wait(&self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.borrow_mut().try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`.
    #[allow(dead_code)] // Not every test program kills.
    pub fn kill(&self) {
        self.signal("-KILL");
        self.wait();
    }

    pub fn stop(&self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    pub fn stop_and_read_log(&self) -> String {
        self.stop();
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = self.child.borrow_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

fn read(stream: &mut impl Read) -> Reply {
    let mut text = String::new();
    // A server that closes without a TLS goodbye has still answered.
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Reply { status: status.unwrap_or_else(|| panic!("no reply: {text}")), body: body.to_owned() }
}

/// Sends a GET with these headers.
pub fn send(stream: &mut impl Write, path: &str, headers: &[(&str, &str)]) {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
}

/// GET with these headers, on a connection of its own.
pub fn request(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    send(&mut stream, path, &[&[("Connection", "close")], headers].concat());
    read(&mut stream)
}

/// GET without headers.
pub fn get(address: SocketAddr, path: &str) -> Reply {
    request(address, path, &[])
}

/// One request; `None` when the server went away before it answered.
#[allow(dead_code)] // Not every test program changes something.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Json>,
) -> Option<(u16, Json)> {
    let text = body.map(Json::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // A body that was cut off is no answer.
    let json = if body.is_empty() { Json::Null } else { serde_json::from_str(body).ok()? };
    Some((status, json))
}

/// A POST whose body comes late.
pub struct Upload {
    stream: TcpStream,
    rest: String,
}

impl Upload {
    /// Sends the head and the first half of the body.
    pub fn begin(address: SocketAddr, path: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (first, rest) = body.split_at(body.len() / 2);
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{first}"
        )
        .unwrap();
        // So that the server has begun with it.
        std::thread::sleep(Duration::from_millis(300));
        Self { stream, rest: rest.to_owned() }
    }

    /// Sends the rest and reads the reply, after which the server closes.
    pub fn finish(&mut self) -> Reply {
        self.stream.write_all(self.rest.as_bytes()).unwrap();
        read(&mut self.stream)
    }
}

/// GET with this version of TLS: the reply, and the certificate that was shown.
pub fn get_tls(
    address: SocketAddr,
    path: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> std::io::Result<(Reply, Vec<u8>)> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(anybody::Anybody(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp)?;
    }
    let shown = tls.peer_certificates().unwrap()[0].to_vec();
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    send(&mut stream, path, &[("Connection", "close")]);
    Ok((read(&mut stream), shown))
}

mod anybody {
    //! A client that looks at certificates itself.

    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub struct Anybody(pub Arc<CryptoProvider>);

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
