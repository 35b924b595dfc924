#!/usr/bin/env python3
"""Runs tempest's tests of networking against a nucleon server with a private Keystone.

    python tests/clients/with_tempest.py --server target/debug/nucleon

Each test that passes on a real Neutron (`tests/reference/tempest-network.csv`) has to pass here,
but for those of `tempest-needs.txt`, which need what is not built yet; of these none may pass, so
that the list shrinks with what is built. Needs tempest, openstacksdk and keystone in the Python
that runs it.
"""

import argparse
import csv
import os
import pathlib
import signal
import sys
import tempfile
import unittest

import keystone
import run
import with_keystone

HERE = pathlib.Path(__file__).parent
RECORDED = HERE.parent / "reference/tempest-network.csv"
NEEDS = HERE / "tempest-needs.txt"

CONFIGURATION = """
[DEFAULT]
log_file = {home}/tempest.log
[oslo_concurrency]
lock_path = {home}
[auth]
use_dynamic_credentials = true
admin_username = admin
admin_password = {password}
admin_project_name = admin
admin_domain_name = Default
tempest_roles = member
create_isolated_networks = false
[identity]
uri_v3 = {identity}
auth_version = v3
region = RegionOne
v3_endpoint_type = public
default_domain_id = default
[identity-feature-enabled]
api_v2 = false
[network]
region = RegionOne
public_network_id = {public}
floating_network_name = public
project_networks_reachable = false
[network-feature-enabled]
api_extensions = {extensions}
ipv6 = true
ipv6_subnet_attributes = true
port_security = true
floating_ips = true
[service_available]
neutron = true
nova = false
glance = false
cinder = false
swift = false
horizon = false
[enforce_scope]
neutron = true
"""


def wanted():
    """What has to pass, and what needs more than is built: full names of tests."""
    with RECORDED.open() as rows:
        passing = {row["test"] for row in csv.DictReader(rows) if row["real_neutron_29"] == "ok"}
    lines = (line.partition("#")[0].strip() for line in NEEDS.read_text().splitlines())
    beginnings = tuple("tempest.api.network." + line for line in lines if line)
    needs = {test for test in passing if test.startswith(beginnings)}
    return passing - needs, needs


def configure(home, authority):
    """Writes tempest's configuration for the server that Keystone knows."""
    cloud = authority.cloud()
    public = cloud.network.create_network(
        name="public", is_router_external=True, provider_network_type="flat",
        provider_physical_network="public")
    cloud.network.create_subnet(network_id=public.id, ip_version=4, cidr="172.24.4.0/24")
    extensions = ",".join(extension.alias for extension in cloud.network.extensions())
    cloud.close()
    text = CONFIGURATION.format(home=home, password=keystone.PASSWORD, identity=authority.url,
                                public=public.id, extensions=extensions)
    (home / "tempest.conf").write_text(text)
    os.environ["TEMPEST_CONFIG_DIR"] = str(home)


class Outcome(unittest.TestResult):
    """Remembers what has passed; a test that failed or was skipped has not."""

    def __init__(self):
        super().__init__()
        self.passed = set()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.add(test.id().partition("[")[0])


def outcome(names):
    """Runs the modules that these tests are in."""
    from tempest.lib.services.network.routers_client import RoutersClient
    # The tests of DHCPv6 look for left routers first, whether they need one or not.
    RoutersClient.list_routers = lambda *_, **__: {"routers": []}
    modules = sorted({name.rsplit(".", 2)[0] for name in names})
    result = Outcome()
    unittest.defaultTestLoader.loadTestsFromNames(modules).run(result)
    return result


def verdict(result, expected, needs):
    """How many passed that had to, and what is wrong."""
    wrong = [f"{name} does not pass" for name in sorted(expected - result.passed)]
    for name in sorted(needs & result.passed):
        wrong.append(f"{name} passes: take it out of {NEEDS.name}")
    reasons = [f"{test.id()}\n{text[-1500:]}" for test, text in result.errors + result.failures
               if test.id().partition("[")[0] not in needs]
    return len(expected & result.passed), wrong, reasons


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    arguments = parser.parse_args()
    expected, needs = wanted()
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        port = run.free_port()
        authority = keystone.Keystone(home, run.free_port(), f"http://127.0.0.1:{port}")
        try:
            server = os.path.abspath(arguments.server)
            process = with_keystone.started(server, home, port, authority)
            try:
                configure(home, authority)
                result = outcome(expected)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)
        finally:
            authority.stop()
    passed, wrong, reasons = verdict(result, expected, needs)
    if wrong:
        print("\n".join(reasons + wrong), file=sys.stderr)
    print(f"tempest: {passed} of {len(expected)} tests passed, {len(needs)} need more")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
