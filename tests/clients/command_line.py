"""The `openstack` command over the whole L2 API, its output checked command by command."""

import contextlib
import io
import json
import logging
import os
import pathlib
import subprocess
import sys

OPENSTACK = str(pathlib.Path(sys.executable).with_name("openstack"))


def beside(words):
    """Runs the command as a user does: exit status, output, error output."""
    done = subprocess.run([OPENSTACK, *words], capture_output=True, text=True, env=os.environ,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def within(words):
    """The same command without a process of its own, of which each takes most of a second. The
    cloud is the one of the first of them: it cannot be changed within one Python."""
    from openstackclient import shell
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            status = shell.main(list(words))
        except SystemExit as left:
            status = left.code
    for handler in list(logging.getLogger("").handlers):
        logging.getLogger("").removeHandler(handler)
    return status or 0, out.getvalue(), errors.getvalue()


class Cli:
    """Runs commands, remembers how many did what they should."""

    def __init__(self, how=None):
        self.passed = 0
        self.failed = 0
        self.how = how or beside

    def run(self, words, fails=None):
        """One command; its JSON output, or the error text where it has to fail."""
        shows = any(word in ("show", "list", "create") for word in words.split())
        command = split(words)
        if shows and fails is None:
            command += ["-f", "json"]
        status, out, errors = self.how(command)
        if fails is not None:
            self.check(words, status != 0 and fails in errors, errors)
            return errors
        if not self.check(words, status == 0, errors):
            return {}
        return json.loads(out) if shows and out.strip() else {}

    def check(self, what, holds, seen=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}\n    {str(seen).strip()[:600]}")
        return holds

    def same(self, what, have, want):
        self.check(what, have == want, f"{have!r} instead of {want!r}")


def split(words):
    import shlex
    return shlex.split(words)


def networks(cli):
    blue = cli.run("network create blue --description first --dns-domain example.org.")
    cli.same("a new network is active", blue.get("status"), "ACTIVE")
    cli.same("it has Neutron's MTU for Geneve", blue.get("mtu"), 1442)
    cli.run("network set blue --name azure --mtu 1400 --tag one --tag two")
    azure = cli.run("network show azure")
    cli.same("name, MTU and tags were set", (azure.get("mtu"), sorted(azure.get("tags", []))),
             (1400, ["one", "two"]))
    cli.same("the revision has grown", azure.get("revision_number", 0) > 1, True)
    cli.run("network unset azure --tag one")
    cli.same("a tag was taken away", cli.run("network show azure").get("tags"), ["two"])
    vlan = cli.run("network create vlan --provider-network-type vlan "
                   "--provider-physical-network public --provider-segment 150 --external")
    cli.same("the VLAN was taken", vlan.get("provider:segmentation_id"), 150)
    cli.run("network create other --provider-network-type vlan "
            "--provider-physical-network public --provider-segment 150", fails="409")
    cli.run("network create flat --provider-network-type flat --provider-physical-network public")
    cli.run("network create shared --share")
    names = [row["Name"] for row in cli.run("network list --name azure")]
    cli.same("filter by name", names, ["azure"])
    names = [row["Name"] for row in cli.run("network list --tags two")]
    cli.same("filter by tag", names, ["azure"])
    names = [row["Name"] for row in cli.run("network list --external")]
    cli.same("filter by external", names, ["vlan"])
    names = sorted(row["Name"] for row in cli.run("network list --share"))
    cli.same("filter by shared", names, ["shared"])
    segments = cli.run("network segment list --network vlan")
    cli.same("its segment is shown", [row["Segment"] for row in segments], [150])
    cli.run("network set vlan --disable")
    cli.same("it is down", cli.run("network show vlan").get("admin_state_up"), False)
    cli.run("network show nowhere", fails="No Network found")


def subnets(cli):
    four = cli.run("subnet create four --network azure --subnet-range 192.0.2.0/24 "
                   "--dns-nameserver 198.51.100.1 --host-route "
                   "destination=203.0.113.0/24,gateway=192.0.2.9")
    cli.same("the first address is the gateway", four.get("gateway_ip"), "192.0.2.1")
    cli.same("the pool leaves it out", four.get("allocation_pools"),
             [{"start": "192.0.2.2", "end": "192.0.2.254"}])
    six = cli.run("subnet create six --network azure --ip-version 6 "
                  "--ipv6-ra-mode slaac --ipv6-address-mode slaac --subnet-range 2001:db8::/64")
    cli.same("SLAAC", six.get("ipv6_address_mode"), "slaac")
    cli.run("subnet create again --network azure --subnet-range 192.0.2.128/25", fails="400")
    cli.run("subnet set four --name quad --no-dns-nameservers --dns-nameserver 198.51.100.2 "
            "--description changed")
    cli.same("name servers were replaced", cli.run("subnet show quad").get("dns_nameservers"),
             ["198.51.100.2"])
    cli.same("both are listed", len(cli.run("subnet list --network azure")), 2)
    cli.same("filter by family", [row["Name"] for row in cli.run("subnet list --ip-version 6")],
             ["six"])
    cli.same("the network knows its subnets", len(cli.run("network show azure")["subnets"]), 2)
    scope = cli.run("address scope create scope4 --ip-version 4")
    pool = cli.run("subnet pool create pool --pool-prefix 10.0.0.0/16 "
                   "--default-prefix-length 26 --address-scope scope4")
    cli.same("the pool is in the scope", pool.get("address_scope_id"), scope.get("id"))
    made = cli.run("subnet create pooled --network shared --subnet-pool pool --prefix-length 28")
    cli.same("a subnet of the asked size", made.get("cidr", "").split("/")[-1], "28")
    cli.run("subnet pool set pool --pool-prefix 10.1.0.0/16 --max-prefix-length 30")
    shown = cli.run("subnet pool show pool")
    cli.same("the pool has grown", sorted(shown.get("prefixes", [])), ["10.0.0.0/15"])
    cli.run("subnet pool delete pool", fails="400")
    cli.run("address scope delete scope4", fails="409")
    cli.same("pools are listed", [row["Name"] for row in cli.run("subnet pool list")], ["pool"])
    cli.same("scopes are listed", [row["Name"] for row in cli.run("address scope list")],
             ["scope4"])


def groups(cli):
    default = [row["Name"] for row in cli.run("security group list")]
    cli.same("the default group is there by itself", default, ["default"])
    cli.run("security group create web --description servers")
    rule = cli.run("security group rule create web --protocol tcp --dst-port 80:81 "
                   "--remote-ip 198.51.100.7/24")
    cli.same("the prefix is written as it was given or as its network",
             rule.get("remote_ip_prefix") in ("198.51.100.7/24", "198.51.100.0/24"), True)
    cli.run("security group rule create web --protocol tcp --dst-port 80:81 "
            "--remote-ip 198.51.100.7/24", fails="409")
    cli.run("security group rule create web --protocol icmp --icmp-type 8 --icmp-code 0")
    cli.run("security group rule create web --ethertype IPv6 --protocol ipv6-icmp")
    cli.run("security group rule create web --remote-group default --egress --protocol 132")
    cli.run("security group rule create web --protocol tcp --dst-port 90000", fails="400")
    cli.same("two rules come with a group and four were added",
             len(cli.run("security group rule list web")), 6)
    cli.run("address group create clients --address 203.0.113.1 --address 203.0.113.64/26")
    cli.run("address group set clients --address 203.0.113.2")
    cli.same("three addresses", len(cli.run("address group show clients")["addresses"]), 3)
    cli.run("security group rule create web --remote-address-group clients --protocol udp")
    cli.run("address group delete clients", fails="409")
    cli.run("security group set web --name www --stateless")
    cli.same("stateless", cli.run("security group show www").get("stateful"), False)
    cli.run("default security group rule list")


def ports(cli):
    port = cli.run("port create one --network azure --security-group www "
                   "--fixed-ip subnet=quad,ip-address=192.0.2.77 --description alpha "
                   "--allowed-address ip-address=192.0.2.200 --dns-name host1")
    addresses = sorted(ip["ip_address"] for ip in port.get("fixed_ips", []))
    cli.same("the asked address", "192.0.2.77" in addresses, True)
    cli.same("a MAC of the base", port.get("mac_address", "")[:8], "fa:16:3e")
    cli.run("port create two --network azure --fixed-ip subnet=quad,ip-address=192.0.2.77",
            fails="409")
    cli.run("port create two --network azure --mac-address fa:16:3e:00:00:77 --disable")
    cli.same("it is down", cli.run("port show two").get("admin_state_up"), False)
    cli.run("port create three --network azure --mac-address fa:16:3e:00:00:77", fails="409")
    found = cli.run("port list --fixed-ip ip-address=192.0.2.77")
    cli.same("filter by address", [row["Name"] for row in found], ["one"])
    found = cli.run("port list --fixed-ip ip-substring=192.0.2.7 --network azure")
    cli.same("filter by part of an address", "one" in [row["Name"] for row in found], True)
    found = cli.run("port list --mac-address fa:16:3e:00:00:77")
    cli.same("filter by MAC", [row["Name"] for row in found], ["two"])
    cli.run("port set two --host compute1 --device-owner compute:nova --device vm1")
    two = cli.run("port show two")
    cli.same("it is bound", (two.get("binding_host_id"), two.get("binding_vif_type") != "unbound"),
             ("compute1", True))
    cli.run("port unset two --host")
    cli.same("it is unbound", cli.run("port show two").get("binding_vif_type"), "unbound")
    cli.run("port set one --no-security-group --no-allowed-address --disable-port-security")
    cli.same("no filtering", cli.run("port show one").get("port_security_enabled"), False)
    cli.run("security group delete www")
    cli.run("network delete azure", fails="409")
    usage = cli.run("ip availability show azure")
    cli.same("the addresses in use are counted", usage.get("used_ips", 0) >= 4, True)


def limits(cli):
    rows = cli.run("quota show --network demo")
    return {row.get("Resource"): row.get("Limit") for row in rows}


def project(cli):
    azure = cli.run("network show azure")
    made = cli.run(f"network rbac create {azure.get('id')} --type network "
                   "--action access_as_shared --target-all-projects")
    cli.same("the network is shared", cli.run("network show azure").get("shared"), True)
    cli.run(f"network rbac delete {made.get('id')}")
    cli.same("and no longer", cli.run("network show azure").get("shared"), False)
    policies = cli.run("network rbac list")
    cli.same("entries of sharing", len(policies) >= 1, True)
    cli.run("quota set demo --ports 7")
    cli.same("the project's quota", limits(cli).get("ports"), 7)
    cli.run("quota delete demo --network")
    cli.same("the quota by default", limits(cli).get("ports"), 500)
    lent = cli.run("network create lent --project demo")
    listed = cli.run("network list --project demo")
    cli.same("a project's own", [one["ID"] for one in listed], [lent.get("id")])
    cli.run("network delete lent")
    cli.run("extension list --network")
    cli.run("network agent list")
    cli.run("availability zone list --network")
    cli.run("network service provider list")


def clean(cli):
    for command in ("port delete one", "port delete two", "subnet delete pooled",
                    "subnet pool delete pool", "address scope delete scope4",
                    "address group delete clients", "network delete azure",
                    "network delete vlan", "network delete flat", "network delete shared"):
        cli.run(command)
    cli.same("nothing is left", cli.run("network list"), [])


def run(how=beside):
    cli = Cli(how)
    for part in (networks, subnets, groups, ports, project, clean):
        part(cli)
    print(f"openstack command: {cli.passed} checks passed, {cli.failed} failed")
    return cli.passed, cli.failed
