//! Pings that go on while something else happens, and the account of them afterwards.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::namespace::Namespace;
use crate::patience::until;
use crate::program::{Program, run};

/// The time from one ping to the next.
pub const INTERVAL: Duration = Duration::from_millis(20);

/// Pings under way.
#[derive(Debug)]
pub struct Pings {
    program: Program,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// How many were sent.
    pub sent: u32,
    /// How many of them got no echo.
    pub lost: u32,
}

impl Account {
    /// The time without echoes, all added up.
    pub fn silence(self) -> Duration {
        INTERVAL * self.lost
    }
}

impl Pings {
    pub(crate) fn start(directory: &Path, space: &Namespace, address: IpAddr) -> Self {
        let (address, interval) = (address.to_string(), INTERVAL.as_secs_f64().to_string());
        let words = ["ping", "-n", "-i", &interval, "-W1", &address];
        let log = directory.join("pings.log");
        let _ = std::fs::remove_file(log);
        Self { program: Program::start(directory, "pings", &space.words(&words)) }
    }

    /// How many echoes there have been.
    pub fn echoes(&self) -> usize {
        self.program.log().matches("bytes from").count()
    }

    /// Waits for some more echoes, and says how long.
    ///
    /// # Panics
    /// If they do not come.
    pub fn wait_for_echoes(&self, more: usize) -> Duration {
        let before = self.echoes();
        until("echoes", || (self.echoes() >= before + more).then_some(())).1
    }

    /// Stops, and says how many were lost; the last echo may still be under way and is waited for.
    ///
    /// # Panics
    /// If `ping` does not say.
    pub fn stop(self) -> Account {
        run(&["kill", "-s", "INT", &self.program.id().to_string()]);
        let account = until("the account of the pings", || account(&self.program.log())).0;
        drop(self.program);
        account
    }
}

/// Reads the line `3 packets transmitted, 2 received, …`.
fn account(log: &str) -> Option<Account> {
    let line = log.lines().find(|line| line.contains("packets transmitted"))?;
    let mut numbers = line.split(", ").map(|it| it.split(' ').find_map(|it| it.parse().ok()));
    let (sent, received): (u32, u32) = (numbers.next()??, numbers.next()??);
    Some(Account { sent, lost: sent.saturating_sub(received) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_what_ping_says() {
        let said = "\n--- ::1 ping statistics ---\n\
                    7 packets transmitted, 5 received, +1 errors, 28% packet loss, time 3ms\n";
        assert_eq!(account(said), Some(Account { sent: 7, lost: 2 }));
        assert_eq!(account("64 bytes from ::1: icmp_seq=1"), None);
    }
}
