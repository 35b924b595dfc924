"""Records what Neutron's own validators and converters say about some values.

Run with a Python that has neutron installed; writes validators.json beside this file:
{type: [[input, accepted, shown or null, fault or null], ...]}. `shown` is what a caller is shown
after the value was converted, validated and stored; `fault` is the wire type and status of the
error, or "crash" where Neutron answers 500. The test `reference` of the crate compares our types
with it.
"""

import copy
import json
import pathlib
import sys

import netaddr
from neutron.conf import common as options
from neutron.conf.extensions import allowedaddresspairs as pair_options
from neutron.extensions import rbac
from neutron.extensions import securitygroup
from neutron_lib.api import attributes
from neutron_lib.api import converters
from neutron_lib.api import faults
from neutron_lib.api import validators
from neutron_lib.api.definitions import dns  # noqa: F401  registers its validators
from neutron_lib.api.definitions import extra_dhcp_opt
from neutron_lib.api.definitions import multiprovidernet  # noqa: F401
from neutron_lib.api.definitions import network_availability_zone  # noqa: F401
from neutron_lib.api.definitions import allowedaddresspairs  # noqa: F401
from neutron_lib.api.definitions import port_hints
from oslo_config import cfg
from webob import exc

options.register_core_common_config_opts()
pair_options.register_allowed_address_pair_opts()
cfg.CONF.set_override("max_allowed_address_pair", 100000)

LONG = "x" * 300
UUID = "3f2b1d2c-9e7a-4c0e-8a55-0d9a1f6c7b21"

# What nothing but a very general type accepts.
STRANGE = [
    None, True, False, 0, 1, -1, 1.5, 2.0, 10 ** 30, "", " ", "\t", "\n", "x", "null", "None", LONG,
    "\u00e4", "a\nb", [], {}, [None], [[]], [{}], {"a": 1}, ["x"], [1], {"a": {"b": [1, 2]}},
    "../../etc/passwd", "'; DROP TABLE ports; --", "%s%n", "0x10", "1e3", "NaN", "-0",
]

MACS = [
    "fa:16:3e:00:00:01", "FA:16:3E:00:00:01", "fa-16-3e-00-00-01", "fa16.3e00.0001", "fa163e000001",
    "fa163e-000001", "fa163e:000001", "fa16:3e00:0001", "fa16-3e00-0001", "f:1:3:0:0:1",
        "a163e000001",
    "fa16.3e00.1", "1.2.3", "1:2:3", "00:00:00:00:00:00", "000000000000", "ff:ff:ff:ff:ff:ff",
    "FFFFFFFFFFFF", "01:00:5e:00:00:01", "33:33:00:00:00:01", "fa:16:3e:00:00",
        "fa:16:3e:00:00:01:02",
    "fa:16:3e:00:00:01:02:03", "fa:16:3e:00:00:0g", "fa:16:3e:00:00:001", " fa:16:3e:00:00:01",
    "fa:16:3e:00:00:01 ", "fa:16:3e-00:00:01", "fa.16.3e.00.00.01", "fa16.3e000001", "fa163e00000",
    "fa163e0000", "fa163e0000011", "fa:16:3e:00:00:\u0661", "f\u00e4:16:3e:00:00:01",
    "fa:16:3e::00:01", ":::::", "-----", "..", ":", "fa163e.000001",
]

IPS = [
    "192.0.2.7", "0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "192.0.2.007",
    "192.0.2.08",
    "010.0.0.1", "192.0.2", "192.0.2.7.8", "192.0.2.256", "192.0.2.-1", "3221225991", "0x7f000001",
    "0x7f.0.0.1", " 192.0.2.7", "192.0.2.7 ", "192.0.2.7\n", "192.0.2.7/24", "192.0.2.7/32", "::",
    "::1",
    "2001:db8::7", "2001:DB8::7", "2001:db8:0:0:0:0:0:7", "2001:0db8::0007", "2001:db8::00007",
    "2001:db8::1::2", "2001:db8", "::ffff:192.0.2.7", "::192.0.2.7", "::1:2", "::ffff:0:0",
        "::ffff",
    "64:ff9b::192.0.2.33", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "1:0:0:2:0:0:0:3", "1:0:0:2:2:0:0:3", "0:0:1::", "fe80::1", "fe80::1%eth0",
    "ff02::1", "[::1]", "2001:db8::g", ":::", ":", "1::192.0.2.7", "::ffff:192.0.2.007",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "\u0661.2.3.4",
]

NETS = [
    "192.0.2.0/24", "192.0.2.7/24", "192.0.2.0/255.255.255.0", "192.0.2.0/0.0.0.255",
    "192.0.2.0/255.255.0.255", "192.0.2.0/255.255.255.255", "192.0.2.0/0.0.0.0", "0.0.0.0/0",
    "10.0.0.0/8", "10/8", "10.0/16", "10.0.0/24", "192.0.2.7", "192.0.2.7/32", "192.0.2.7/33",
    "192.0.2.7/-1", "192.0.2.7/", "/24", "/", "192.0.2.0/24/24", "192.0.2.0/024", "192.0.2.0/ 24",
    "192.0.2.0 /24", " 192.0.2.0/24", "192.0.2.0/24 ", "192.0.2.0/24\n", "192.0.2.0/+24",
    "192.0.2.0/x",
    "192.0.2.0/2_4", "192.0.2.000/24", "127.0.0.0/8", "127.0.0.1/32", "224.0.0.0/4", "224.0.0.5/32",
    "192.0.0.0/2", "240.0.0.0/4", "128.0.0.0/1", "0.0.0.0/1", "2001:db8::/64", "2001:DB8::/64",
    "2001:db8::7/64", "2001:db8:0::/48", "2001:db8::/129", "2001:db8::/ffff:ffff::", "::/0",
        "::1/128",
    "::1/64", "::/128", "2001:db8::", "ff00::/8", "ff02::1/128", "fe80::/10", "f000::/4",
        "::ffff:0:0/96",
    "::192.0.2.0/120", "2001:db8::/64/", "2001:db8::/", "2001:db8::7/ffff:ffff:ffff:ffff::",
    "192.0.2.0/ffff::", "2001:db8::/255.255.255.0",
]

NAMES = [
    "net1", "a b", " a", "a ", "a\u00a0", "\u3000a", "a\tb", "a\u0000b", "a\u200bb", "a\u2028b",
    "\u65e5\u672c\u8a9e", "a\u0301", "\U0001f600", "a\U0001f600", "default", "DEFAULT", "Default",
    "defaults", "a" * 255, "a" * 256, "\u00e4" * 255, "\u00e4" * 256, "\ue000", "\u00ad", "\ufeffa",
    "a\u0085b", "a\u001fb", "a\u2003b", "a\n", "\ufffe", "a\u0600", "<script>", "a,b", "a/b", "'",
    "\"",
]

DNS = [
    "vm1", "VM1", "vm1.example.org", "vm1.example.org.", "Example.ORG.", "example.org.", "-a", "a-",
    "a.-b", "a-.b", "a..b", ".", "..", "a.", ".a", "a_b", "a b", "a" * 63, "a" * 64, "a" * 63 + ".",
    ".".join(["a" * 63] * 4), ".".join(["a" * 63] * 4) + ".", ".".join(["a" * 62] * 4) + ".a",
    ".".join(["a" * 62] * 4) + ".aa.", "a.1", "a.123.", "1", "123", "1.a", "1a.2b", "xn--bcher-kva",
    "b\u00fccher", "<project_id>", "<project_id>.example.org.", "<user_name>.x.", "<nobody>", "a\n",
    "a.b\n", "a\u0660", "\u212a", "\u0130.org.", "*", "*.a",
]


FIXED = [
    [{"subnet_id": UUID}], [{"subnet_id": UUID}, {"subnet_id": UUID}],
    [{"ip_address": "192.0.2.7"}], [{"ip_address": "192.0.2.7"}, {"ip_address": "192.0.2.7"}],
    [{"ip_address": "192.0.2.7", "subnet_id": UUID}], [{"ip_address": "192.0.2.7/24"}],
    [{"ip_address": None}], [{"subnet_id": None}], [{"subnet_id": "x"}], [{"ip_address": "x"}],
    [{"ip_address": "192.0.2.07"}], [{"subnet_id": UUID, "color": "red"}],
    [{"ip_address": "2001:DB8::7"}],
    [{"subnet_id": UUID, "ip_address": "192.0.2.7"}, {"subnet_id": UUID,
    "ip_address": "192.0.2.8"}],
    {"ip_address": "192.0.2.7"}, ["192.0.2.7"], [[]], [{"ip_address": ["192.0.2.7"]}],
]

POOLS = [
    [{"start": "192.0.2.2", "end": "192.0.2.9"}], [{"start": "192.0.2.9", "end": "192.0.2.2"}],
    [{"start": "2001:DB8::2", "end": "2001:db8::F"}], [{"start": "192.0.2.2"}],
    [{"end": "192.0.2.2"}],
    [{"start": "192.0.2.2", "end": "192.0.2.9", "x": 1}], [{"start": "x", "end": "192.0.2.9"}],
    [{"start": None, "end": None}], {"start": "192.0.2.2", "end": "192.0.2.9"}, ["192.0.2.2"],
    [{"start": "192.0.2.2", "end": "2001:db8::1"}],
    [{"start": "192.0.2.2", "end": "192.0.2.9"}, {"start": "192.0.2.2", "end": "192.0.2.9"}],
    [{"start": "192.0.2.02", "end": "192.0.2.9"}], [{"start": 1, "end": 2}],
]

ROUTES = [
    [{"destination": net, "nexthop": "192.0.2.1"}] for net in NETS
] + [
    [{"destination": "10.0.0.0/8", "nexthop": ip}] for ip in IPS[:20]
] + [
    [{"destination": "10.0.0.0/8", "nexthop": "192.0.2.1"}] * 2,
    [{"destination": "10.0.0.0/8", "nexthop": "192.0.2.1"}, {"destination": "10.0.0.0/8",
    "nexthop": "192.0.2.2"}],
    [{"destination": "10.0.0.0/8"}], [{"nexthop": "192.0.2.1"}],
    [{"destination": "10.0.0.0/8", "nexthop": "192.0.2.1", "x": 1}],
    {"destination": "10.0.0.0/8", "nexthop": "192.0.2.1"}, [{"destination": None, "nexthop": None}],
]

PAIRS = [
    [{"ip_address": ip}] for ip in IPS + NETS
] + [
    [{"ip_address": "192.0.2.7", "mac_address": mac}] for mac in MACS
] + [
    [{"mac_address": "fa:16:3e:00:00:01"}], [{"ip_address": "192.0.2.7"}] * 2,
    [{"ip_address": "192.0.2.7", "mac_address": "fa:16:3e:00:00:01"}] * 2,
    [{"ip_address": "192.0.2.7"}, {"ip_address": "192.0.2.7", "mac_address": "fa:16:3e:00:00:01"}],
    [{"ip_address": "192.0.2.7", "color": "red"}], [{"ip_address": "192.0.2.7",
    "mac_address": None}],
    [{"ip_address": None}], [{"ip_address": 7}], {"ip_address": "192.0.2.7"}, ["192.0.2.7"],
]

OPTIONS = [
    [{"opt_name": "mtu", "opt_value": "1400"}], [{"opt_name": "mtu", "opt_value": None}],
    [{"opt_name": "mtu", "opt_value": ""}], [{"opt_name": "mtu", "opt_value": " "}],
    [{"opt_name": "router", "opt_value": ""}], [{"opt_name": "classless-static-route",
    "opt_value": ""}],
    [{"opt_name": "router", "opt_value": None}], [{"opt_name": "router", "opt_value": "a\nb"}],
    [{"opt_name": "mtu", "opt_value": "a\nb"}], [{"opt_name": "mtu", "opt_value": "a\n"}],
    [{"opt_name": "m\ntu", "opt_value": "a"}], [{"opt_name": "", "opt_value": "a"}],
    [{"opt_name": " ", "opt_value": "a"}], [{"opt_name": "x" * 64, "opt_value": "a"}],
    [{"opt_name": "x" * 65, "opt_value": "a"}], [{"opt_name": "a", "opt_value": "x" * 255}],
    [{"opt_name": "a", "opt_value": "x" * 256}], [{"opt_name": "mtu"}], [{"opt_value": "1"}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": 4}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": 6}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": "6"}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": 5}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": "x"}],
    [{"opt_name": "mtu", "opt_value": "1", "ip_version": None}],
    [{"opt_name": "mtu", "opt_value": "1", "x": 1}], [{"opt_name": "mtu", "opt_value": 1400}],
    [{"opt_name": "mtu", "opt_value": "1"}] * 2, {"opt_name": "mtu", "opt_value": "1"},
    [{"opt_name": 26, "opt_value": "1"}], [{"opt_name": "a\u2028b", "opt_value": "1"}],
    [{"opt_name": "a", "opt_value": "a\u2028b"}], [{"opt_name": "a", "opt_value": "a\u000bb"}],
]

PROTOCOLS = [
    "tcp", "TCP", "Tcp", "6", "06", " 6", "6 ", "+6", "256", "255", "0", "-1", 6, 0, 255, 256, -1,
    "any",
    "ANY", "all", "icmp", "icmpv6", "ipv6-icmp", "ip", "ipv6", "hopopt", "igmp", "gre", "vrrp",
    "tcp ",
    "1_0", "\u0666",
] + sorted(securitygroup.const.IP_PROTOCOL_MAP)

PORTS = ["0", "80", "65535", "65536", "-1", 0, 80, 65535, 65536, -1, "80 ", " 80", "080", "+80",
    "8 0",
         "80.0", 80.0, 80.5, "8_0", "http"]

WORDS = ["ingress", "egress", "INGRESS", "ingress ", "any", "IPv4", "ipv4", "IPV4", "ipV6",
    "IPv6", "IPv5",
         "slaac", "SLAAC", "dhcpv6-stateful", "dhcpv6-stateless", "normal", "direct", "vdpa",
         "Normal",
         "remote-managed", "required", "socket", "legacy", "switchdev", 4, 6, "4", "6", 5, "4.0",
         4.0,
         4.5, " 4 "]

UUIDS = [UUID, UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}", "urn:uuid:" + UUID,
    UUID + " ",
         UUID[:-1], UUID + "0", UUID[:-1] + "g", "00000000-0000-0000-0000-000000000000",
         "prefix_delegation", "PREFIX_DELEGATION", "*", "**"]

BOOLS = ["true", "True", "TRUE", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0",
    "2",
         " true ", "truee", 2, 1.0]

COUNTS = [0, 1, 1500, 2147483647, "1500", "-1", -5, " 7 ", "7.0", 7.0, 7.9, "+7", "1_0"]

LISTS = [["a", "b"], ["a", "a"], ["a", ""], ["x" * 255], ["x" * 256], ["a", 1], "ab", ["a,b"],
         ["zone%d" % i for i in range(40)], ["network:dhcp"], ["compute:nova"], ["network:"],
         ["computer"],
         ["baremetal:x"], ["neutron:LOADBALANCER"], ["c"], [UUID], [UUID, UUID], [UUID,
         UUID.upper()],
         ["192.0.2.1"], ["192.0.2.1", "192.0.2.1"], ["192.0.2.1", "2001:db8::1"], ["192.0.2.1/32"],
         ["2001:DB8::1"], ["10.0.0.0/8"], ["10.0.0.0/8", "10.0.0.0/8"], ["10.0.0.5/8"],
         ["10.0.0.0/8", "10.0.0.5/8"], ["2001:db8::/32", "192.0.2.0/24"]]

SEGMENTS = [
    [{"provider:network_type": "vlan", "provider:physical_network": "physnet1",
    "provider:segmentation_id": 7}],
    [{"provider:network_type": "vlan", "provider:segmentation_id": "7"}],
    [{"provider:network_type": "vlan", "provider:segmentation_id": "x"}],
    [{"provider:network_type": "vlan", "provider:segmentation_id": ""}],
    [{"provider:network_type": "vlan", "provider:segmentation_id": 0}],
    [{"provider:network_type": "vlan", "provider:segmentation_id": None}],
    [{"provider:network_type": "vlan", "x": 1}], [{}, {}],
]

DICTS = [{"vif": {"a": [1, "b", None]}}, {"pci_slot": "0000:05:00.1"}, {"x": "y" * 100}]

HINTS = [
    {"openvswitch": {"other_config": {"tx-steering": "hash"}}},
    {"openvswitch": {"other_config": {"tx-steering": "thread"}}},
    {"openvswitch": {"other_config": {"tx-steering": "x"}}}, {"openvswitch": {"other_config": {}}},
    {"openvswitch": {}}, {"openvswitch": None}, {"openvswitch": {"other_config": None}},
    {"openvswitch": {"other_config": {"x": 1}}}, {"openvswitch": {"x": 1}}, {"ovs": {}},
]


def ip(text):
    return text if text is None else str(netaddr.IPAddress(text))


def network(text):
    if text is None:
        return None
    net = netaddr.IPNetwork(text)
    return "%s/%s" % (net.network, net.prefixlen)


def each(show):
    return lambda items: [show(item) for item in items]


def members(**shows):
    return lambda item: {key: shows.get(key, lambda x: x)(value) for key, value in item.items()}


def pair(item):
    return {**item, "ip_address": str(netaddr.IPNetwork(item["ip_address"]))
            if "/" in item["ip_address"] else ip(item["ip_address"])}


def same(value):
    return value


def uuid(text):
    if text in (None, "prefix_delegation", "*"):
        return text
    return str(converters.uuid.UUID(text))


def options_of(given):
    return given and [{"ip_version": 4, **option} for option in given]


def segments_of(given):
    unset = attributes.constants.ATTR_NOT_SPECIFIED
    return [{key: None if value is unset else value for key, value in segment.items()}
            for segment in given]


lib, sg = converters, securitygroup

# type: (converter, validator, its argument, how it is stored and shown, what is tried)
CASES = {
    "bool": (lib.convert_to_boolean, None, None, same, BOOLS),
    "Count": (lib.convert_to_int, "type:non_negative", None, same, COUNTS),
    "Mac": (lib.convert_to_sanitized_mac_address, "type:mac_address", None, same, MACS),
    "Ip": (lib.convert_ip_to_canonical_format, "type:ip_address", None, ip, IPS),
    "Option<Ip>": (lib.convert_ip_to_canonical_format, "type:ip_address_or_none", None, ip, IPS),
    "Cidr": (lib.convert_cidr_to_canonical_format, "type:subnet_or_none", None, network,
        NETS + IPS),
    "Option<Prefix>": (sg.convert_ip_prefix_to_cidr, None, None, same, NETS + IPS),
    "Name": (None, "type:name_string", 255, same, NAMES),
    "Option<Name>": (None, "type:name_string_or_none", 255, same, NAMES),
    "NotEmptyName": (None, "type:not_empty_name_string", 255, same, NAMES),
    "NotDefaultName": (None, "type:name_not_default", 255, same, NAMES),
    "Text<255>": (None, "type:string", 255, same, NAMES),
    "DnsName": (lib.convert_string_to_case_insensitive, "type:dns_host_name", 255, same, DNS),
    "DnsDomain": (lib.convert_string_to_case_insensitive, "type:dns_domain_name", 255, same, DNS),
    "Vec<Ip>": (lib.convert_none_to_empty_list, "type:nameservers", None, each(ip),
        LISTS + [[x] for x in IPS]),
    "Vec<Id>": (lib.convert_none_to_empty_list, "type:uuid_list", None, each(uuid),
        LISTS + [[x] for x in UUIDS]),
    "Vec<Cidr>": (lib.convert_none_to_empty_list, "type:subnet_list", None, each(network),
        LISTS + [[x] for x in NETS]),
    "Vec<Tag>": (None, "type:list_of_unique_strings", 255, same, LISTS),
    "Zones": (None, "type:availability_zone_hint_list", None, same, LISTS),
    "Vec<ServiceType>": (None, "type:list_of_subnet_service_types", None, same, LISTS),
    "Vec<FixedIpAsk>": (None, "type:fixed_ips", None, each(members(ip_address=ip)), FIXED),
    "Vec<IpRange>": (lib.convert_allocation_pools_to_canonical_format, "type:ip_pools", None,
        same, POOLS),
    "Vec<HostRoute>": (lib.convert_none_to_empty_list, "type:hostroutes", None,
        each(members(destination=network, nexthop=ip)), ROUTES),
    "Vec<AddressPair>": (lib.convert_none_to_empty_list, "type:allowed_address_pairs", None,
        each(pair), PAIRS),
    "Option<Vec<DhcpOption>>": (None, "type:list_of_any_key_specs_or_none",
        extra_dhcp_opt.EXTRA_DHCP_OPT_KEY_SPECS, options_of, OPTIONS),
    "Vec<ProviderSegment>": (None, "type:network_segments", None, segments_of, SEGMENTS),
    "Option<Dict>": (None, "type:dict_or_none", None, same, DICTS),
    "Option<Hints>": (None, "type:dict_or_none", port_hints.HINTS_SPEC["type:dict_or_none"], same,
        HINTS),
    "Option<Protocol>": (sg.convert_protocol, None, None, same, PROTOCOLS),
    "Option<PortNumber>": (sg.convert_validate_port_value, None, None, same, PORTS),
    "Direction": (None, "type:values", ["ingress", "egress"], same, WORDS),
    "Ethertype": (sg.convert_ethertype_to_case_insensitive, "type:values", ["IPv4", "IPv6"], same,
        WORDS),
    "IpVersion": (lib.convert_to_int, "type:values", [4, 6], same, WORDS),
    "Option<Ipv6Mode>": (None, "type:values", ["dhcpv6-stateful", "dhcpv6-stateless", "slaac",
        None], same, WORDS),
    "VnicType": (None, "type:values", [
        "normal", "direct", "macvtap", "baremetal", "direct-physical", "virtio-forwarder",
        "smart-nic", "vdpa",
        "accelerator-direct", "accelerator-direct-physical", "remote-managed"], same, WORDS),
    "Option<NumaPolicy>": (None, "type:values", ["required", "preferred", "legacy", "socket",
        None], same, WORDS),
    "Id": (None, "type:uuid", None, uuid, UUIDS),
    "Option<SubnetPoolId>": (None, "type:subnetpool_id_or_none", None, uuid, UUIDS),
    "TargetProject": (None, "type:valid_target_project", None, same, UUIDS),
}


def status(error):
    return next(answer.code for kind, answer in faults.FAULT_MAP.items() if isinstance(error, kind))


def ask(convert, rule, argument, show, value):
    """What Neutron does with the value: [accepted, shown, fault]."""
    value = copy.deepcopy(value)
    try:
        if convert:
            value = convert(value)
        if rule and validators.get_validator(rule)(value, argument):
            return [False, None, "HTTPBadRequest 400"]
    except exc.HTTPBadRequest:
        return [False, None, "HTTPBadRequest 400"]
    except securitygroup.exceptions.NeutronException as error:
        return [False, None, "%s %s" % (type(error).__name__, status(error))]
    except Exception:
        return [False, None, "crash"]
    try:
        shown = show(value)
        json.dumps(shown)
        return [True, shown, None]
    except Exception:
        return [True, None, "crash"]


def main():
    assert rbac  # registers its validator
    answers = {}
    for name, (convert, rule, argument, show, tried) in CASES.items():
        answers[name] = [
            [value, *ask(convert, rule, argument, show, value)] for value in STRANGE + tried
        ]
    lines = ["{"]
    for number, (name, rows) in enumerate(answers.items()):
        lines.append('"%s": [' % name)
        lines.extend("  " + json.dumps(row) + ("," if i + 1 < len(rows) else "") for i,
            row in enumerate(rows))
        lines.append("]" + ("," if number + 1 < len(answers) else ""))
    lines.append("}")
    out = pathlib.Path(__file__).with_name("validators.json")
    out.write_text("\n".join(lines) + "\n")
    print(sum(map(len, answers.values())), "answers", file=sys.stderr)


if __name__ == "__main__":
    main()
