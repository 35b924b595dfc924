//! TLS: certificates on both sides, of one CA; files that are exchanged while running.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ovsdb::client::{Client, Options};
use ovsdb::remote::Remote;
use ovsdb::tls::TlsFiles;
use ovsdb::transaction::Transaction;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::house::{NORTHBOUND, Process, Tables, options, run, server, soon, text, wait_for};

const TABLES: Tables = &[("Logical_Switch", &["name"])];

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// A new one, its certificate in `file`.
    fn new(file: &Path) -> Self {
        let mut params = named("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self(Issuer::new(params, key))
    }

    /// A certificate without any host's name, as `ovs-pki` makes them, and its key.
    fn sign(&self, directory: &Path, who: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = named(who).signed_by(&key, &self.0).unwrap();
        let paths = (directory.join(format!("{who}.pem")), directory.join(format!("{who}.key")));
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }
}

struct Guarded {
    directory: TempDir,
    authority: Authority,
    remote: Remote,
    _process: Process,
}

impl Guarded {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let authority = Authority::new(&at("ca.pem"));
        let (certificate, key) = authority.sign(directory.path(), "server");
        run("ovsdb-tool", &["create", &text(&at("db")), NORTHBOUND]);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = server(&[
            &format!("--remote=pssl:{port}:127.0.0.1"),
            &format!("--unixctl={}", text(&at("control"))),
            &format!("--private-key={}", text(&key)),
            &format!("--certificate={}", text(&certificate)),
            &format!("--ca-cert={}", text(&at("ca.pem"))),
            &text(&at("db")),
        ]);
        wait_for(&at("control"));
        let remote = Remote::Ssl("127.0.0.1".to_owned(), port);
        Self { directory, authority, remote, _process: process }
    }

    fn options(&self, ca: &str, (certificate, key): (PathBuf, PathBuf)) -> Options {
        let ca = self.directory.path().join(ca);
        let tls = Some(TlsFiles { ca, certificate, key });
        Options { tls, ..options(vec![self.remote.clone()], TABLES) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_show_certificates_of_one_authority() {
    let guarded = Guarded::start().await;
    let ours = guarded.authority.sign(guarded.directory.path(), "client");
    let client = Client::start(guarded.options("ca.pem", ours));
    soon("the client connects", client.connected()).await;
    client.transact(Transaction::new().comment("over TLS")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_authority_is_refused_until_the_files_are_right() {
    let guarded = Guarded::start().await;
    let at = guarded.directory.path();
    let ours = guarded.authority.sign(at, "client");
    Authority::new(&at.join("other.pem"));
    let client = Client::start(guarded.options("other.pem", ours));
    let mut status = client.status();
    let refused = status.wait_for(|now| now.why.as_ref().is_some_and(|why| why.contains("TLS")));
    soon("it is refused", refused).await.unwrap();
    assert!(client.read().is_none());
    std::fs::copy(at.join("ca.pem"), at.join("other.pem")).unwrap();
    soon("the client connects", client.connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_authority_is_refused() {
    let guarded = Guarded::start().await;
    let at = guarded.directory.path();
    let theirs = Authority::new(&at.join("other.pem")).sign(at, "stranger");
    let client = Client::start(guarded.options("ca.pem", theirs));
    let mut status = client.status();
    soon("it is refused", status.wait_for(|now| now.why.is_some())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(client.read().is_none());
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let (certificate, key) = Authority::new(&ca).sign(directory.path(), "client");
    std::fs::remove_file(&key).unwrap();
    let error = TlsFiles { ca, certificate, key: key.clone() }.connector().err().unwrap();
    assert!(error.contains(&text(&key)), "{error}");
}
