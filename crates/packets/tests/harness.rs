//! The laboratory itself, with what `ovn-nbctl` alone can set up: before a server is judged in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use packets::dns::Record;
use packets::guest::Guest;
use packets::lab::{Lab, Size};
use packets::patience::until;

const FIRST: (&str, &str) = ("aaaaaaaa-0000-4000-8000-000000000001", "fa:16:3e:00:00:01");
const SECOND: (&str, &str) = ("bbbbbbbb-0000-4000-8000-000000000002", "fa:16:3e:00:00:02");

const MOMENT: Duration = Duration::from_secs(1);

/// A switch with two ports, plugged on two hypervisors.
fn two_guests(lab: &Lab) -> (Guest, Guest) {
    let central = &lab.central;
    central.nbctl("ls-add network");
    let v4 = central.nbctl(
        "create DHCP_Options cidr=10.0.0.0/24 options:server_id=10.0.0.1 \
         options:server_mac='\"fa:16:3e:00:00:fe\"' options:lease_time=3600 options:mtu=1400 \
         options:dns_server=10.0.0.12",
    );
    let v6 = central.nbctl(
        "create DHCP_Options cidr='\"fd00::/64\"' options:server_id='\"fa:16:3e:00:00:fe\"' \
         options:dns_server='\"fd00::53\"'",
    );
    for (number, (port, mac)) in (1..).zip([FIRST, SECOND]) {
        central.nbctl(&format!("lsp-add network {port}"));
        central
            .nbctl(&format!("lsp-set-addresses {port} '{mac} 10.0.0.1{number} fd00::1{number}'"));
        central.nbctl(&format!("lsp-set-dhcpv4-options {port} {}", v4.trim()));
        central.nbctl(&format!("lsp-set-dhcpv6-options {port} {}", v6.trim()));
    }
    let plug = |hypervisor: usize, (port, mac)| {
        let guest = lab.guest(mac);
        lab.hypervisors[hypervisor].plug(&guest, port);
        guest
    };
    let guests = (plug(0, FIRST), plug(1, SECOND));
    central.settle();
    guests
}

#[test]
fn two_guests_on_two_hypervisors_get_addresses_and_reach_each_other() {
    let lab = Lab::start();
    let (first, second) = two_guests(&lab);

    let lease = first.dhcp4();
    assert_eq!(lease.address, Ipv4Addr::new(10, 0, 0, 11));
    assert_eq!(lease.number(26), Some(1400));
    assert_eq!(lease.addresses(6), [Ipv4Addr::new(10, 0, 0, 12)]);
    let peer: IpAddr = second.dhcp4().address.into();
    assert_eq!(peer, Ipv4Addr::new(10, 0, 0, 12));
    first.wait_to_reach(peer, 5 * MOMENT);

    let reply = first.dhcp6();
    assert_eq!(reply.address(), "fd00::11".parse().ok());
    assert_eq!(reply.dns_servers(), ["fd00::53".parse::<Ipv6Addr>().unwrap()]);
    let peer: IpAddr = second.dhcp6().address().unwrap().into();
    first.wait_to_reach(peer, 5 * MOMENT);
}

#[test]
fn a_router_that_is_a_guest_gives_its_neighbour_an_address() {
    let lab = Lab::start();
    let (router, guest) = two_guests(&lab);
    let address = router.advertise_to(&guest, "2001:db8::".parse().unwrap());
    assert_eq!(address.to_string(), "2001:db8::f816:3eff:fe00:2");
}

#[test]
fn the_network_answers_a_name() {
    let lab = Lab::start();
    let (first, second) = two_guests(&lab);
    let names = "records:second.example='\"10.0.0.12 fd00::12\"'";
    lab.central.nbctl(&format!(
        "--id=@names create DNS {names} -- add Logical_Switch network dns_records @names"
    ));
    lab.central.settle();
    first.dhcp4();
    let server = second.dhcp4().address.into();
    let answer = first.resolve(server, "second.example", Record::A);
    assert_eq!(answer, Some(vec!["10.0.0.12".parse().unwrap()]));
    let answer = first.resolve(server, "second.example", Record::Aaaa);
    assert_eq!(answer, Some(vec!["fd00::12".parse().unwrap()]));
}

#[test]
fn a_guest_moves_and_few_pings_are_lost() {
    let lab = Lab::start();
    let (first, second) = two_guests(&lab);
    let peer = first.dhcp4().address.into();
    second.dhcp4();
    second.wait_to_reach(peer, 5 * MOMENT);
    let (port, mac) = FIRST;
    lab.central.nbctl(&format!(
        "lsp-set-options {port} requested-chassis=hv1,hv2 activation-strategy=rarp"
    ));
    lab.hypervisors[1].plug(&first, port);
    lab.central.settle();

    let pings = second.ping(peer);
    pings.wait_for_echoes(10);
    first.change_interface();
    lab.hypervisors[1].announce(port, mac);
    lab.central.nbctl(&format!("lsp-set-options {port} requested-chassis=hv2"));
    lab.hypervisors[0].unplug(port);
    pings.wait_for_echoes(10);
    let account = pings.stop();
    println!("moved: {} of {} pings lost, {:?}", account.lost, account.sent, account.silence());
    assert!(account.silence() < MOMENT, "{account:?}");
}

#[test]
fn a_cluster_loses_its_leader_and_goes_on() {
    let mut lab = Lab::of(Size { hypervisors: 1, servers: 3 });
    lab.central.nbctl("ls-add before");
    let leader = lab.central.northbound.leader();
    lab.central.northbound.kill(leader);
    lab.central.nbctl("--timeout=20 ls-add after");
    lab.central.northbound.restart(leader);
    lab.central.settle();
    let switches = lab.central.nbctl("--bare --columns=name list Logical_Switch");
    assert_eq!(switches.split_whitespace().count(), 2, "{switches}");
}

/// How many processes have this directory among their arguments.
fn processes_of(directory: &Path) -> usize {
    let directory = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let arguments = processes.flat_map(|it| fs::read(it.path().join("cmdline")));
    arguments.filter(|it| String::from_utf8_lossy(it).contains(directory)).count()
}

#[test]
fn nothing_of_a_laboratory_outlives_it() {
    let lab = Lab::start();
    let (first, _second) = two_guests(&lab);
    let holder = first.space.id();
    let directory = lab.directory.clone();
    assert!(processes_of(&directory) > 5);
    drop((lab, first));
    assert_eq!(processes_of(&directory), 0);
    assert!(!directory.exists());
    assert!(!Path::new(&format!("/proc/{holder}")).exists());
}

#[test]
fn nothing_of_a_laboratory_outlives_the_death_of_its_test() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_laboratory_waits_to_be_killed"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let name = format!("{}{}", packets::leftover::PREFIX, test.id());
    let directory = std::env::temp_dir().join(name);
    until("a laboratory", || fs::exists(directory.join("ready")).unwrap().then_some(()));
    assert!(processes_of(&directory) > 5);
    test.kill().unwrap();
    test.wait().unwrap();
    until("the end of its processes", || (processes_of(&directory) == 0).then_some(()));
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
#[ignore = "its neighbour starts and kills it"]
fn a_laboratory_waits_to_be_killed() {
    let lab = Lab::start();
    fs::write(lab.directory.join("ready"), "").unwrap();
    std::thread::sleep(60 * MOMENT);
}
