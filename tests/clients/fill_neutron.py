"""Fills a fresh Neutron database with what a nucleon server shows, ids included.

    python tests/clients/fill_neutron.py DATABASE URL --config-file FILE

Run by with_neutron.py, in a process of its own: Neutron's plugin is made for one life only.
"""

import json
import os
import sys
import urllib.request

import sqlalchemy
from neutron import manager
from neutron.common import config
from neutron.db.migration.models import head  # noqa: F401 (it knows all tables)
from neutron_lib import constants, context
from neutron_lib.db import model_base
from neutron_lib.plugins import directory

DATABASE, URL = sys.argv[1:3]
HEADERS = {"X-Project-Id": "p", "X-User-Id": "u",
           "X-Roles": "admin,manager,member,reader,service"}

# What Neutron makes itself.
MADE = {"created_at", "updated_at", "revision_number", "tags", "status", "normalized_cidr",
        "belongs_to_default_sg", "ipv4_address_scope", "ipv6_address_scope", "subnets",
        "availability_zones", "dns_assignment", "binding:vif_type", "binding:vif_details",
        "standard_attr_id", "security_group_rules", "l2_adjacency", "vlan_transparent", "qinq"}


def shown(collection):
    """Everything there is of a kind, as one would ask Neutron to make it."""
    request = urllib.request.Request(f"{URL}/v2.0/{collection}", headers=HEADERS)
    with urllib.request.urlopen(request) as reply:
        things = next(it for it in json.load(reply).values() if isinstance(it, list))
    return [{name: it[name] for name in it if name not in MADE} | {"tenant_id": "p"}
            for it in things]


def fill(plugin, engine):
    admin = context.get_admin_context()
    # The default group first, or Neutron makes one of its own.
    for group in sorted(shown("security-groups"), key=lambda it: it["name"] != "default"):
        plugin.create_security_group(admin, {"security_group": group},
                                     default_sg=group["name"] == "default")
        of_group = {"security_group_id": [group["id"]]}
        for rule in plugin.get_security_group_rules(admin, of_group):
            plugin.delete_security_group_rule(admin, rule["id"])
    for rule in shown("security-group-rules"):
        plugin.create_security_group_rule(admin, {"security_group_rule": rule})
    for network in shown("networks"):
        network["segments"] = constants.ATTR_NOT_SPECIFIED
        plugin.create_network(admin, {"network": network})
    with engine.begin() as transaction:
        for segment in shown("segments"):
            transaction.execute(sqlalchemy.text(
                "UPDATE networksegments SET id = :id WHERE network_id = :network_id"), segment)
    for subnet in shown("subnets"):
        plugin.create_subnet(admin, {"subnet": subnet})
    for port in shown("ports"):
        plugin.create_port(admin, {"port": port})


def main():
    config.register_common_config_options()
    config.init(sys.argv[3:])
    config.setup_logging()
    engine = sqlalchemy.create_engine(DATABASE)
    model_base.BASEV2.metadata.create_all(engine)
    manager.init()
    fill(directory.get_plugin(), engine)
    # Its threads wait for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
