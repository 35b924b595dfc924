#!/usr/bin/env python3
"""Shows to Neutron's own programs what a nucleon server writes into OVN.

    python tests/clients/with_neutron.py --server target/debug/nucleon

neutron-ovn-metadata-agent serves guests by it: in the laboratory of the tests with packets, which
are compiled for that. neutron-ovn-db-sync-util compares it with a Neutron database that holds the
same: it finds no difference, and nothing to repair. Neutron is that of the Python that runs this.
Needs root, and OVN.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(sys.executable).parent
HEADERS = {"X-Project-Id": "p", "X-User-Id": "u", "Content-Type": "application/json",
           "X-Roles": "admin,manager,member,reader,service"}

# What the program says of every OVN, Neutron's too: the group belongs to a plugin that nobody has
# asked for, and while it only logs, it does not look which options of ports are in order.
SAID_ALWAYS = ("pvlan_pg_drop not found", "Out of sync port DHCPv4 options")

CONFIGURATION = """
[DEFAULT]
core_plugin = ml2
service_plugins =
auth_strategy = noauth
transport_url = fake:/
state_path = {directory}/state
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
max_allowed_address_pair = 50
[database]
connection = {database}
[oslo_concurrency]
lock_path = {directory}/lock
[ml2]
type_drivers = local,flat,vlan,geneve
tenant_network_types = geneve
mechanism_drivers = {driver}
extension_drivers = port_security
[ml2_type_geneve]
vni_ranges = 1:65536
max_header_size = 38
[ml2_type_flat]
flat_networks = public
[ml2_type_vlan]
network_vlan_ranges = public:100:2000
[ovn]
ovn_nb_connection = {nb}
ovn_sb_connection = {sb}
ovn_metadata_enabled = true
"""


def serve_guests():
    """The agent for metadata; whether all went well."""
    environment = dict(os.environ, NUCLEON_TEST_NEUTRON=str(PROGRAMS))
    command = ["cargo", "test", "--package", "nucleon-server", "--test", "packets", "--",
               "--ignored", "--nocapture", "neutrons_own_agent"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


class Ovn:
    """OVN's databases and ovn-northd, without hypervisors."""

    def __init__(self, directory):
        self.processes = []
        for name in ("nb", "sb"):
            file, socket = directory / f"{name}.db", directory / f"{name}.sock"
            schema = f"/usr/share/ovn/ovn-{name}.ovsschema"
            subprocess.run(["ovsdb-tool", "create", file, schema], check=True)
            self.start("ovsdb-server", f"--remote=punix:{socket}", "--unixctl=none", str(file))
            setattr(self, name, f"unix:{socket}")
            while not socket.exists():
                time.sleep(0.05)
            subprocess.run([f"ovn-{name}ctl", f"--db=unix:{socket}", "init"], check=True)
        self.start("ovn-northd", f"--ovnnb-db={self.nb}", f"--ovnsb-db={self.sb}",
                   f"--unixctl={directory}/northd.ctl")

    def start(self, *words):
        self.processes.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


def make(url, path, body):
    """Makes one thing, and says its id."""
    request = urllib.request.Request(f"{url}/v2.0/{path}", json.dumps(body).encode(), HEADERS)
    with urllib.request.urlopen(request) as reply:
        return next(iter(json.load(reply).values()))["id"]


def furnish(url):
    def network(**more):
        return make(url, "networks", {"network": more})

    def subnet(network_id, cidr, **more):
        more |= {"network_id": network_id, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4}
        make(url, "subnets", {"subnet": more})

    def port(network_id, **more):
        make(url, "ports", {"port": more | {"network_id": network_id}})

    one = network(name="one")
    flat = network(**{"provider:network_type": "flat", "provider:physical_network": "public"})
    vlan = network(**{"provider:network_type": "vlan", "provider:physical_network": "public",
                      "provider:segmentation_id": 123})
    subnet(one, "10.1.0.0/24", dns_nameservers=["192.0.2.53"],
           host_routes=[{"destination": "10.9.0.0/24", "nexthop": "10.1.0.9"}])
    subnet(one, "fd00:1::/64", ipv6_ra_mode="dhcpv6-stateful",
           ipv6_address_mode="dhcpv6-stateful")
    subnet(flat, "10.2.0.0/24")
    subnet(vlan, "10.3.0.0/24", enable_dhcp=False)
    group = make(url, "security-groups", {"security_group": {"name": "g"}})
    for rule in ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 80,
                  "remote_ip_prefix": "10.0.0.0/8"},
                 {"protocol": "icmp", "remote_group_id": group},
                 {"ethertype": "IPv6", "protocol": "udp"}):
        rule |= {"security_group_id": group, "direction": "ingress"}
        make(url, "security-group-rules", {"security_group_rule": rule})
    port(one, security_groups=[group], device_owner="compute:nova", device_id="a-server",
         extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1400"}])
    port(one, allowed_address_pairs=[{"ip_address": "10.1.0.200"}])
    port(flat, port_security_enabled=False, security_groups=[])
    port(vlan, admin_state_up=False)


def compare(directory, mode):
    """Runs the program: what it complains of."""
    command = [PROGRAMS / "neutron-ovn-db-sync-util", "--config-file", directory / "ovn.conf",
               "--ovn-neutron_sync_mode", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode != 0 or "Neutron OVN DB sync completed" not in said:
        sys.exit(f"neutron-ovn-db-sync-util failed:\n{said[-4000:]}")
    return [line for line in said.splitlines()
            if " WARNING " in line and "ovsdb.ovn_db_sync" in line
            and not any(always in line for always in SAID_ALWAYS)]


def find_no_difference(server):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        ovn, port = Ovn(directory), run.free_port()
        database = f"sqlite:///{directory}/neutron.db"
        for driver in ("", "ovn"):
            (directory / f"{driver or 'no'}.conf").write_text(CONFIGURATION.format(
                directory=directory, database=database, driver=driver, nb=ovn.nb, sb=ovn.sb))
        attached = ["--database", f"sqlite:{directory}/n.db", "--ovn-nb", ovn.nb,
                    "--ovn-sb", ovn.sb]
        process = run.launch(server, directory, port, ["--auth", "none", *attached])
        try:
            furnish(f"http://127.0.0.1:{port}")
            fill = [sys.executable, ROOT / "tests/clients/fill_neutron.py", database,
                    f"http://127.0.0.1:{port}", "--config-file", directory / "no.conf"]
            filled = subprocess.run(fill, capture_output=True, text=True, check=False)
            if filled.returncode != 0:
                sys.exit(f"Neutron's database could not be filled:\n{filled.stderr[-4000:]}")
            complaints = compare(directory, "log")
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            # What it repairs while we are away is not to be repaired back.
            compare(directory, "repair")
            diff = [server, "ovn", "diff", *attached, "--vlan-ranges", "public:100:2000",
                    "--flat-networks", "public"]
            differs = subprocess.run(diff, capture_output=True, text=True, check=False)
            if differs.returncode != 0:
                complaints.append(f"after a repair: {differs.stdout}{differs.stderr[-2000:]}")
        finally:
            process.kill()
            process.wait()
            ovn.stop()
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return not complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    server = os.path.abspath(parser.parse_args().server)
    outcome = {"neutron-ovn-db-sync-util": find_no_difference(server),
               "neutron-ovn-metadata-agent": serve_guests()}
    for program, went_well in outcome.items():
        print(f"{program}: {'passed' if went_well else 'failed'}")
    sys.exit(0 if all(outcome.values()) else 1)


if __name__ == "__main__":
    main()
