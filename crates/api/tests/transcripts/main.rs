//! What a real Neutron answered, replayed on us: every file of `tests/transcripts`, each on an
//! empty database, on the three engines. Deliberate differences are in `differences.txt` beside
//! them; a line there that no longer differs fails as a difference does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod compare;
mod difference;
mod names;
mod replay;

use std::path::{Path, PathBuf};

use difference::{Differences, Found};
use futures_util::{StreamExt as _, stream};
use model::settings::{Settings, VlanRange};
use testkit::database::Engine;
use testkit::server::TestServer;

/// Transcripts that are replayed at a time.
const AT_ONCE: usize = 4;

testkit::on_each_engine!(every_transcript_is_answered_as_recorded);

async fn every_transcript_is_answered_as_recorded(engine: Engine) {
    let differences = Differences::read(&directory().join("differences.txt"));
    let permits = |found: &Found| differences.permits(found);
    let permits = &permits;
    let files = transcripts();
    assert!(files.len() > 30, "the transcripts are where they are looked for");
    let found: Vec<_> = stream::iter(files)
        .map(|(name, path)| async move {
            let found = replayed(engine, &name, &path).await;
            if found.iter().all(permits) {
                return found;
            }
            // A random address may be one that a later step asks for; hardly twice.
            replayed(engine, &name, &path).await
        })
        .buffered(AT_ONCE)
        .concat()
        .await;
    let wrong = differences.unexpected(&found);
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

async fn replayed(engine: Engine, name: &str, path: &Path) -> Vec<Found> {
    TestServer::with(engine, settings(), async |server| {
        replay::differences(server, name, path).await
    })
    .await
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts")
}

/// All of them, as `(kind/case, path)`, in order.
fn transcripts() -> Vec<(String, PathBuf)> {
    let kinds = std::fs::read_dir(directory()).unwrap().map(|kind| kind.unwrap().path());
    let cases = kinds
        .filter(|kind| kind.is_dir())
        .flat_map(|kind| std::fs::read_dir(kind).unwrap().map(|case| case.unwrap().path()));
    let mut all: Vec<_> = cases
        .filter(|case| case.extension().is_some_and(|extension| extension == "json"))
        .map(|case| {
            let kind = case.parent().unwrap().file_name().unwrap().to_str().unwrap();
            (format!("{kind}/{}", case.file_stem().unwrap().to_str().unwrap()), case.clone())
        })
        .collect();
    all.sort();
    all
}

/// The choices of the deployment that was recorded.
fn settings() -> Settings {
    let range = |physical_network: &str, first, last| VlanRange {
        physical_network: physical_network.to_owned(),
        ids: Some((first, last)),
    };
    Settings {
        type_drivers: ["local", "flat", "vlan", "geneve"].map(str::to_owned).into(),
        flat_networks: ["public", "default"].map(str::to_owned).into(),
        vlan_ranges: vec![range("public", 100, 2000), range("default", 100, 200)],
        vni_ranges: vec![(1, 65536)],
        dns_domain: "openstackgate.local.".into(),
        max_allowed_address_pair: 50,
        ..Settings::default()
    }
}
