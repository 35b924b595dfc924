"""openstacksdk over the whole L2 API, through its objects."""

import openstack
from openstack import exceptions


class Kit:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def same(self, what, have, want):
        if have == want:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what}: {have!r} instead of {want!r}")

    def refused(self, what, kind, act):
        try:
            act()
        except kind:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what} was not refused")


def networks(kit, cloud):
    network = cloud.create_network(name="sdk", description="by the kit")
    kit.same("created", cloud.get_network(network).name, "sdk")
    kit.same("found by name", cloud.find_network("sdk").id, network.id)
    network = cloud.update_network(network, name="kit", is_port_security_enabled=False)
    kit.same("updated", (network.name, network.is_port_security_enabled), ("kit", False))
    cloud.set_tags(network, ["a", "b"])
    kit.same("tagged", sorted(cloud.get_network(network).tags), ["a", "b"])
    kit.same("filtered by tags", [n.id for n in cloud.networks(tags="a,b")], [network.id])
    kit.same("filtered by any tag", [n.id for n in cloud.networks(any_tags="b,z")], [network.id])
    kit.same("filtered by no tag", list(cloud.networks(not_tags="a", name="kit")), [])
    pages = list(cloud.networks(limit=1))
    kit.same("pages make the whole", len(pages), len(list(cloud.networks())))
    return network


def subnets(kit, cloud, network):
    subnet = cloud.create_subnet(network_id=network.id, ip_version=4, cidr="198.51.100.0/26",
                                 name="s4", enable_dhcp=False)
    kit.same("gateway", subnet.gateway_ip, "198.51.100.1")
    subnet = cloud.update_subnet(subnet, host_routes=[
        {"destination": "203.0.113.0/24", "nexthop": "198.51.100.2"}])
    kit.same("route", subnet.host_routes[0]["nexthop"], "198.51.100.2")
    kit.refused("an overlapping subnet", exceptions.BadRequestException,
                lambda: cloud.create_subnet(network_id=network.id, ip_version=4,
                                            cidr="198.51.100.32/27"))
    pool = cloud.create_subnet_pool(name="p6", prefixes=["2001:db8:1::/48"],
                                    default_prefix_length=64)
    made = cloud.create_subnet(network_id=network.id, ip_version=6, subnet_pool_id=pool.id)
    kit.same("from the pool", made.subnet_pool_id, pool.id)
    cloud.delete_subnet(made)
    cloud.delete_subnet_pool(pool)
    kit.same("the pool is gone", cloud.find_subnet_pool("p6"), None)
    return subnet


def ports(kit, cloud, network, subnet):
    port = cloud.create_port(network_id=network.id, name="p",
                             fixed_ips=[{"subnet_id": subnet.id}])
    kit.same("an address of the subnet", port.fixed_ips[0]["subnet_id"], subnet.id)
    port = cloud.update_port(port, description="x", binding_host_id="host1",
                             device_owner="compute:nova", device_id="vm")
    kit.same("bound", port.binding_host_id, "host1")
    many = list(cloud.create_ports([{"network_id": network.id, "name": f"b{i}"} for i in range(20)]))
    kit.same("bulk", len(many), 20)
    kit.same("listed", len(list(cloud.ports(network_id=network.id))), 21)
    addresses = {ip["ip_address"] for p in many for ip in p.fixed_ips}
    kit.same("each its own address", len(addresses), 20)
    revision = cloud.get_port(port).revision_number
    kit.same("a port has a revision", revision > 0, True)
    kit.refused("a stale revision", exceptions.PreconditionFailedException,
                lambda: cloud.update_port(port.id, if_revision=revision - 1, name="never"))
    kit.refused("a port on no network", exceptions.NotFoundException,
                lambda: cloud.create_port(network_id="00000000-0000-4000-8000-000000000000"))
    for each in many:
        cloud.delete_port(each)
    return port


def groups(kit, cloud):
    group = cloud.create_security_group(name="kit")
    rule = cloud.create_security_group_rule(security_group_id=group.id, direction="ingress",
                                            protocol="tcp", port_range_min=22, port_range_max=22)
    kit.same("normalised", rule.ether_type, "IPv4")
    bulk = [{"security_group_id": group.id, "direction": "ingress", "protocol": "udp",
             "port_range_min": n, "port_range_max": n} for n in range(1, 31)]
    made = list(cloud.create_security_group_rules(bulk)) if hasattr(
        cloud, "create_security_group_rules") else [
        cloud.create_security_group_rule(**one) for one in bulk]
    kit.same("rules", len(made), 30)
    kit.refused("a duplicate", exceptions.ConflictException,
                lambda: cloud.create_security_group_rule(**bulk[0]))
    kit.same("shown with the group", len(cloud.get_security_group(group).security_group_rules), 33)
    addresses = cloud.create_address_group(name="ag", addresses=["192.0.2.1/32"])
    addresses = cloud.add_addresses_to_address_group(addresses, ["192.0.2.2/32"])
    kit.same("added", len(addresses.addresses), 2)
    addresses = cloud.remove_addresses_from_address_group(addresses, ["192.0.2.1/32"])
    kit.same("removed", addresses.addresses, ["192.0.2.2/32"])
    cloud.delete_address_group(addresses)
    cloud.delete_security_group(group)


def rest(kit, cloud):
    project = "fedcba9876543210fedcba9876543210"
    quota = cloud.update_quota(project, ports=7)
    kit.same("quota", quota.ports, 7)
    kit.same("quota read", cloud.get_quota(project).ports, 7)
    kit.same("quota details", cloud.get_quota(project, details=True).ports["limit"], 7)
    cloud.delete_quota(project)
    kit.same("quota by default", cloud.get_quota(project).ports, 500)
    network = cloud.create_network(name="lent")
    policy = cloud.create_rbac_policy(object_type="network", object_id=network.id,
                                      action="access_as_shared", target_project_id=project)
    kit.same("lent to a project", policy.target_project_id, project)
    kit.refused("lending twice", exceptions.ConflictException,
                lambda: cloud.create_rbac_policy(
                    object_type="network", object_id=network.id, action="access_as_shared",
                    target_project_id=project))
    cloud.delete_rbac_policy(policy)
    cloud.delete_network(network)
    aliases = {extension.alias for extension in cloud.extensions()}
    kit.same("extensions", {"binding", "security-group", "subnet_allocation"} <= aliases, True)
    kit.same("no routers yet", "router" in aliases, False)


def run():
    kit = Kit()
    cloud = openstack.connect().network
    network = networks(kit, cloud)
    subnet = subnets(kit, cloud, network)
    port = ports(kit, cloud, network, subnet)
    groups(kit, cloud)
    rest(kit, cloud)
    kit.refused("deleting a network in use", exceptions.ConflictException,
                lambda: cloud.delete_network(network))
    cloud.delete_port(port)
    cloud.delete_network(network)
    kit.same("gone", cloud.find_network("kit"), None)
    print(f"openstacksdk: {kit.passed} checks passed, {kit.failed} failed")
    return kit.passed, kit.failed
