//! Which addresses ports have: the one place where an address is chosen, taken and given back. That
//! an address belongs to one port is the unique key of `ip_allocations`; what is read before only
//! makes a collision unlikely. Not here: subnets (`subnet`), ports (`port`).

pub mod candidate;
pub mod owner;
pub mod plan;
pub mod window;

use std::collections::BTreeSet;

use wire::attr::Wire;
use wire::fault::{self, Error, Result};
use wire::types::Id;
use wire::types::fixed_ip::{FixedIp, FixedIpAsk};
use wire::types::ip::Ip;
use wire::types::mac::Mac;
use wire::value::Value;

use crate::kind::Call;
use crate::subnet;
use candidate::{Candidate, Offer};
use plan::{Changes, Want};
use window::Dice;

/// So many addresses are tried at once before all taken ones of a subnet are read.
const WINDOW: usize = 16;

/// Addresses were chosen at once.
pub const IMMEDIATE: &str = "immediate";
/// They are chosen when the host is known.
pub const DEFERRED: &str = "deferred";
/// The caller wanted none.
pub const NONE: &str = "none";

/// The port that addresses are for.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The port.
    pub port_id: Id,
    /// Its network.
    pub network_id: Id,
    /// Its MAC address.
    pub mac: Mac,
    /// Its device owner.
    pub device_owner: String,
    /// Its host; empty: not known.
    pub host: String,
}

/// What a port has got.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its addresses, all of them, in the order in which they are shown.
    pub fixed_ips: Vec<FixedIp>,
    /// [`IMMEDIATE`], [`DEFERRED`] or [`NONE`].
    pub ip_allocation: &'static str,
    /// Those that are new, and whether the caller named the address.
    new: Vec<(FixedIp, bool)>,
}

/// Chooses the addresses of a new port and takes them. The port's row must have been buffered
/// before; where it comes later, as `ip_allocation` is one of its columns, use [`choose`] and then
/// [`keep`].
///
/// `ask`: what the caller asked for; `None`: nothing, so that he gets one address of each family.
///
/// # Errors
/// `IpAddressGenerationFailure`, `IpAddressAlreadyAllocated`, `InvalidIpForSubnet`,
/// `InvalidIpForNetwork`, `AllocationOnAutoAddressSubnet`, `SubnetNotFound`, `InvalidInput` and
/// those of [`candidate::offer`].
pub async fn take(call: &Call<'_>, seat: &Seat, ask: Option<&[FixedIpAsk]>) -> Result<Taken> {
    let taken = choose(call, seat, ask).await?;
    keep(call, seat.port_id, &taken);
    Ok(taken)
}

/// As [`take`], without taking them yet.
///
/// # Errors
/// As [`take`].
pub async fn choose(call: &Call<'_>, seat: &Seat, ask: Option<&[FixedIpAsk]>) -> Result<Taken> {
    let subnets = candidate::of_network(call, seat.network_id).await?;
    let offer =
        candidate::offer(&subnets, seat, ask, |name| call.backend.reaches(&seat.host, name))?;
    let wanted_none = ask.is_some_and(<[FixedIpAsk]>::is_empty);
    let eligible = match offer {
        Offer::From(eligible) => eligible,
        Offer::Nothing => Vec::new(),
        Offer::Later => {
            let ip_allocation = if wanted_none { NONE } else { DEFERRED };
            return Ok(Taken { fixed_ips: Vec::new(), ip_allocation, new: Vec::new() });
        }
    };
    let wants = match ask {
        None => plan::unasked(&subnets, &eligible, seat),
        Some(ask) => {
            known(call, &subnets, ask).await?;
            let mut wants = plan::asked(&subnets, &eligible, seat, ask)?;
            // PARITY: who asks for the address that he makes himself is told that it is taken.
            wants.extend(plan::automatic(&subnets, &eligible, seat, &[]));
            wants
        }
    };
    let new = Search::new(call, &subnets, seat).settle(&wants).await?;
    Ok(Taken {
        fixed_ips: new.iter().map(|(fixed_ip, _)| *fixed_ip).collect(),
        ip_allocation: if wanted_none { NONE } else { IMMEDIATE },
        new,
    })
}

/// Takes what was chosen.
pub fn keep(call: &Call<'_>, port_id: Id, taken: &Taken) {
    let before = taken.fixed_ips.len().saturating_sub(taken.new.len());
    for (place, (fixed_ip, asked)) in taken.new.iter().enumerate() {
        let subnet_id = fixed_ip.subnet_id;
        let taken_by_another = if *asked {
            fault::ip_address_already_allocated(fixed_ip.ip_address, subnet_id)
        } else {
            Error::Retry("somebody else has taken the chosen address")
        };
        call.tx
            .exec(
                "INSERT INTO ip_allocations (subnet_id, ip_address, port_id, place) \
                 VALUES (?, ?, ?, ?)",
                vec![
                    subnet_id.store(),
                    fixed_ip.ip_address.store(),
                    port_id.store(),
                    Value::Int((before + place) as i64),
                ],
            )
            .or("pk_ip_allocations", taken_by_another)
            .or("fk_ip_allocations_subnet", Error::Retry("the subnet has been deleted"));
    }
}

/// Changes the addresses of a port to what is asked: keeps what stays, adds, removes. Where nothing
/// is asked, does what follows from a new MAC address or host: addresses that the MAC address makes
/// are made anew, deferred ones are chosen, and those that stay must be of segments that the host
/// reaches.
///
/// `have`: the addresses that it has, as [`of_port`] gives them.
///
/// # Errors
/// As [`take`]; `HostNotCompatibleWithFixedIps`.
pub async fn change(
    call: &Call<'_>,
    seat: &Seat,
    have: &[FixedIp],
    ask: Option<&[FixedIpAsk]>,
) -> Result<Taken> {
    let ip_allocation = allocation(call, seat.port_id).await?;
    if ask.is_none() && have.is_empty() && ip_allocation == DEFERRED && !seat.host.is_empty() {
        let taken = Taken { ip_allocation, ..choose(call, seat, None).await? };
        keep(call, seat.port_id, &taken);
        return Ok(taken);
    }
    let subnets = candidate::of_network(call, seat.network_id).await?;
    let (changes, wants) = match ask {
        Some(ask) => asked(call, &subnets, seat, have, ask).await?,
        None => {
            fits_host(call, &subnets, seat, have)?;
            plan::follow_mac(&subnets, seat, have)
        }
    };
    apply(call, seat, &changes);
    let new = Search::new(call, &subnets, seat).settle(&wants).await?;
    let mut fixed_ips = changes.keep;
    fixed_ips.extend(new.iter().map(|(fixed_ip, _)| *fixed_ip));
    let taken = Taken { fixed_ips, ip_allocation, new };
    keep(call, seat.port_id, &taken);
    Ok(taken)
}

async fn asked(
    call: &Call<'_>,
    subnets: &[Candidate],
    seat: &Seat,
    have: &[FixedIp],
    ask: &[FixedIpAsk],
) -> Result<(Changes, Vec<Want>)> {
    known(call, subnets, ask).await?;
    let changes = plan::changes(subnets, seat, have, ask);
    let kept = changes
        .keep
        .iter()
        .map(|one| FixedIpAsk { subnet_id: Some(one.subnet_id), ip_address: Some(one.ip_address) });
    let all: Vec<FixedIpAsk> = changes.add.iter().copied().chain(kept).collect();
    let reached = |name: Option<&str>| call.backend.reaches(&seat.host, name);
    let eligible = candidate::offer(subnets, seat, Some(&all), reached)?.places();
    let mut wants = plan::asked(subnets, &eligible, seat, &changes.add)?;
    let handled: Vec<Id> =
        changes.keep.iter().chain(&changes.remove).map(|one| one.subnet_id).collect();
    for one in plan::automatic(subnets, &eligible, seat, &handled) {
        if !wants.contains(&one) {
            wants.push(one);
        }
    }
    Ok((changes, wants))
}

/// Checks that a port may have its addresses on the host that it moves to.
fn fits_host(call: &Call<'_>, subnets: &[Candidate], seat: &Seat, have: &[FixedIp]) -> Result<()> {
    if have.is_empty() || seat.host.is_empty() {
        return Ok(());
    }
    let reached = |name: Option<&str>| call.backend.reaches(&seat.host, name);
    let eligible = candidate::offer(subnets, seat, None, reached)?.places();
    let offered: Vec<Id> =
        eligible.iter().filter_map(|place| subnets.get(*place)).map(|subnet| subnet.id).collect();
    if have.iter().all(|one| offered.contains(&one.subnet_id)) {
        return Ok(());
    }
    Err(fault::host_not_compatible_with_fixed_ips(&seat.host, seat.port_id))
}

/// How a port's addresses were chosen when it was made.
/// PARITY: updates do not change it, not even when deferred addresses are chosen at last.
async fn allocation(call: &Call<'_>, port_id: Id) -> Result<&'static str> {
    let sql = "SELECT ip_allocation FROM ports WHERE id = ?";
    let rows = call.tx.rows(sql, &[port_id.store()]).await?;
    let stored = rows.first().and_then(|row| row.first()).and_then(Value::as_text);
    let words = [DEFERRED, NONE];
    Ok(words.into_iter().find(|word| stored == Some(word)).unwrap_or(IMMEDIATE))
}

/// Gives back all addresses of a port.
pub async fn release(call: &Call<'_>, port_id: Id) {
    call.tx.exec("DELETE FROM ip_allocations WHERE port_id = ?", vec![port_id.store()]);
}

/// The addresses of a port, in the order in which they are shown.
///
/// # Errors
/// Those of the database.
pub async fn of_port(call: &Call<'_>, port_id: Id) -> Result<Vec<FixedIp>> {
    let rows = call
        .tx
        .rows(
            "SELECT subnet_id, ip_address FROM ip_allocations WHERE port_id = ? ORDER BY place",
            &[port_id.store()],
        )
        .await?;
    Ok(rows.iter().filter_map(|row| fixed_ip(row)).collect())
}

/// The address of a port in a subnet, the first one if it has several.
///
/// # Errors
/// Those of the database.
pub async fn in_subnet(call: &Call<'_>, port_id: Id, subnet_id: Id) -> Result<Option<FixedIp>> {
    let all = of_port(call, port_id).await?;
    Ok(all.into_iter().find(|one| one.subnet_id == subnet_id))
}

/// The addresses of a port in any other subnet.
///
/// # Errors
/// Those of the database.
pub async fn elsewhere(call: &Call<'_>, port_id: Id, subnet_id: Id) -> Result<Vec<FixedIp>> {
    let all = of_port(call, port_id).await?;
    Ok(all.into_iter().filter(|one| one.subnet_id != subnet_id).collect())
}

fn fixed_ip(row: &[Value]) -> Option<FixedIp> {
    match row {
        [subnet_id, ip, ..] => {
            Some(FixedIp { subnet_id: Id::load(subnet_id)?, ip_address: Ip::load(ip)? })
        }
        _ => None,
    }
}

/// A subnet that is asked for and is not of the network must at least be one that the caller can
/// see.
async fn known(call: &Call<'_>, subnets: &[Candidate], ask: &[FixedIpAsk]) -> Result<()> {
    for id in ask.iter().filter_map(|asked| asked.subnet_id) {
        if subnets.iter().all(|subnet| subnet.id != id) {
            call.find(&subnet::TABLE, id).await?.ok_or_else(|| fault::subnet_not_found(id))?;
        }
    }
    Ok(())
}

/// Removes what goes, and numbers what stays from the beginning.
fn apply(call: &Call<'_>, seat: &Seat, changes: &Changes) {
    let key =
        |one: &FixedIp| vec![one.subnet_id.store(), one.ip_address.store(), seat.port_id.store()];
    for one in &changes.remove {
        call.tx.exec(
            "DELETE FROM ip_allocations WHERE subnet_id = ? AND ip_address = ? AND port_id = ?",
            key(one),
        );
    }
    for (place, one) in changes.keep.iter().enumerate() {
        let mut params = vec![Value::Int(place as i64)];
        params.extend(key(one));
        call.tx
            .exec(
                "UPDATE ip_allocations SET place = ? \
                 WHERE subnet_id = ? AND ip_address = ? AND port_id = ?",
                params,
            )
            .expect(1, Error::Retry("the port's addresses have changed"));
    }
}

/// The search for the addresses of one port.
struct Search<'a> {
    call: &'a Call<'a>,
    subnets: &'a [Candidate],
    prefers_first: bool,
    dice: Dice,
    /// Found to be taken, or chosen for this port, as (subnet, address).
    gone: BTreeSet<(Id, Ip)>,
}

impl<'a> Search<'a> {
    fn new(call: &'a Call<'a>, subnets: &'a [Candidate], seat: &Seat) -> Self {
        let (_, seed) = call.ctx.new_id().0.as_u64_pair();
        Self {
            call,
            subnets,
            prefers_first: owner::prefers_first(&seat.device_owner),
            dice: Dice::new(seed),
            gone: BTreeSet::new(),
        }
    }

    /// Finds an address for each want; the flag says whether it was asked for by itself.
    async fn settle(mut self, wants: &[Want]) -> Result<Vec<(FixedIp, bool)>> {
        let windows: Vec<Vec<Ip>> = wants.iter().map(|want| self.window(want)).collect();
        self.probe(wants, &windows).await?;
        let mut exact = Vec::new();
        // Asked addresses go first, so that no choice takes them away.
        for want in wants {
            if let Want::Exact { subnet, ip } = want
                && let Some(subnet) = self.subnets.get(*subnet)
            {
                if !self.gone.insert((subnet.id, *ip)) {
                    return Err(fault::ip_address_already_allocated(ip, subnet.id));
                }
                exact.push(FixedIp { subnet_id: subnet.id, ip_address: *ip });
            }
        }
        let mut exact = exact.into_iter();
        let mut found = Vec::with_capacity(wants.len());
        for (want, window) in wants.iter().zip(&windows) {
            match want {
                Want::Exact { .. } => found.extend(exact.next().map(|one| (one, true))),
                Want::Any { subnets } => found.push((self.any(subnets, window).await?, false)),
            }
        }
        Ok(found)
    }

    /// The addresses that are tried first.
    fn window(&mut self, want: &Want) -> Vec<Ip> {
        let places: &[usize] = match want {
            Want::Exact { ip, .. } => return vec![*ip],
            Want::Any { subnets } => subnets,
        };
        let Some(subnet) = places.first().and_then(|place| self.subnets.get(*place)) else {
            return Vec::new();
        };
        if self.prefers_first {
            window::first(&subnet.pools, WINDOW)
        } else {
            window::candidates(&subnet.pools, WINDOW, &mut self.dice)
        }
    }

    /// Asks once which of the addresses to try are taken.
    async fn probe(&mut self, wants: &[Want], windows: &[Vec<Ip>]) -> Result<()> {
        let mut subnet_ids = BTreeSet::new();
        for want in wants {
            let place = match want {
                Want::Exact { subnet, .. } => Some(subnet),
                Want::Any { subnets } => subnets.first(),
            };
            subnet_ids.extend(place.and_then(|place| self.subnets.get(*place)).map(|one| one.id));
        }
        let ips: BTreeSet<Ip> = windows.iter().flatten().copied().collect();
        if subnet_ids.is_empty() || ips.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT subnet_id, ip_address FROM ip_allocations \
             WHERE subnet_id IN ({}) AND ip_address IN ({})",
            marks(subnet_ids.len()),
            marks(ips.len())
        );
        let params: Vec<Value> =
            subnet_ids.iter().map(Wire::store).chain(ips.iter().map(Wire::store)).collect();
        for row in self.call.tx.rows(&sql, &params).await? {
            self.gone.extend(fixed_ip(&row).map(|one| (one.subnet_id, one.ip_address)));
        }
        Ok(())
    }

    /// A free address of the first subnet that has one; `window` was probed in the first.
    async fn any(&mut self, places: &[usize], window: &[Ip]) -> Result<FixedIp> {
        let subnets = self.subnets;
        let mut window = window;
        for place in places {
            let Some(subnet) = subnets.get(*place) else {
                continue;
            };
            let free = window.iter().find(|ip| !self.gone.contains(&(subnet.id, **ip)));
            let chosen = match free {
                Some(ip) => Some(*ip),
                None => self.dense(subnet).await?,
            };
            if let Some(ip_address) = chosen {
                self.gone.insert((subnet.id, ip_address));
                return Ok(FixedIp { subnet_id: subnet.id, ip_address });
            }
            window = &[];
        }
        let names: Vec<String> = places
            .iter()
            .filter_map(|place| subnets.get(*place))
            .map(|subnet| format!("{} ({})", subnet.id, subnet.cidr))
            .collect();
        Err(fault::ip_address_generation_failure(names.join(", ")))
    }

    /// A free address of a subnet of which many are taken.
    async fn dense(&mut self, subnet: &Candidate) -> Result<Option<Ip>> {
        let rows = self
            .call
            .tx
            .rows(
                "SELECT subnet_id, ip_address FROM ip_allocations WHERE subnet_id = ?",
                &[subnet.id.store()],
            )
            .await?;
        let mut taken: BTreeSet<Ip> =
            rows.iter().filter_map(|row| fixed_ip(row)).map(|one| one.ip_address).collect();
        let chosen = self.gone.iter().filter(|(id, _)| *id == subnet.id);
        taken.extend(chosen.map(|(_, ip)| *ip));
        Ok(if self.prefers_first {
            window::nth_free(&subnet.pools, &taken, 0)
        } else {
            window::any_free(&subnet.pools, &taken, &mut self.dice)
        })
    }
}

/// `?, ?, ?`
fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}
