//! Thousands of short histories in which everything goes wrong that can: clients change networks
//! through the API, two or three reconcilers follow them on one database and one Northbound, while
//! connections break, replies are lost, transactions are refused, reconcilers are killed, backups
//! are restored and rows are edited by hand. However it goes, at the end there is no difference.
//!
//! `NUCLEON_SIMULATION_SEED=7` lives through that one history, `NUCLEON_SIMULATION_HISTORIES=10000`
//! through more of them. What depends on the machine's threads is not in the seed: a history may
//! have to be lived through several times until it fails again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs)]

mod cloud;
mod dice;
mod history;
mod house;
mod meddler;
mod oracle;
mod order;
mod scratch;
mod worker;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Histories in one run of the tests; four idle cores take two minutes for them.
const HISTORIES: u64 = 2000;
/// Where the machine has fewer cores, or much else to do, no new ones are begun after this time.
const PATIENCE: Duration = Duration::from_secs(200);

/// A number from the environment.
fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// What went wrong in the history of a seed.
fn live(seed: u64) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lived =
        std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(history::live(seed))));
    lived.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panicked: {}", said.unwrap_or("?")))
    })
}

#[test]
fn whatever_goes_wrong_no_difference_is_left() {
    if let Some(seed) = given("NUCLEON_SIMULATION_SEED") {
        live(seed).unwrap();
        return;
    }
    let asked = given("NUCLEON_SIMULATION_HISTORIES");
    let (count, began) = (asked.unwrap_or(HISTORIES), Instant::now());
    let is_late = || asked.is_none() && began.elapsed() > PATIENCE;
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        // Most histories have to wait now and then.
        for _ in 0..2 * threads {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() && !is_late() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count {
                        return;
                    }
                    if let Err(why) = live(seed) {
                        failed.lock().unwrap().push((seed, why));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some((seed, why)) = failed.first() {
        panic!("NUCLEON_SIMULATION_SEED={seed} fails: {why}");
    }
    let lived = next.into_inner().min(count);
    println!("lived through {lived} histories in {:?}", began.elapsed());
    assert!(asked.is_some() || lived > 50, "this machine is too slow to show anything");
}
