//! The extensions that this server serves: alias, name, description, time of the last change.
//! Aliases, names and times are Neutron's, since clients look for them; the descriptions are ours.

/// One extension.
#[derive(Debug)]
pub struct Extension {
    /// What clients look for.
    pub alias: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it brings.
    pub description: &'static str,
    /// When it last changed.
    pub updated: &'static str,
}

macro_rules! extensions {
    ($($alias:literal = $name:literal, $updated:literal, $description:literal;)*) => {
        /// Every extension that is served, in the order of their aliases.
        pub static EXTENSIONS: &[Extension] = &[$(Extension {
            alias: $alias, name: $name, description: $description, updated: $updated,
        }),*];
    };
}

#[rustfmt::skip]
extensions! {
    "address-group" = "Address group", "2020-07-15T10:00:00-00:00",
        "Named sets of addresses that security group rules refer to.";
    "address-scope" = "Address scope", "2015-07-26T10:00:00-00:00",
        "Sets of subnet pools whose addresses do not overlap.";
    "agent" = "agent", "2013-02-03T10:00:00-00:00",
        "The agents of the data plane.";
    "allowed-address-pairs" = "Allowed Address Pairs", "2013-07-23T10:00:00-00:00",
        "Further addresses that may be used on a port.";
    "availability_zone" = "Availability Zone", "2015-01-01T10:00:00-00:00",
        "The availability zones of the data plane.";
    "binding" = "Port Binding", "2014-02-03T10:00:00-00:00",
        "Where and how ports are plugged in.";
    "binding-extended" = "Port Bindings Extended", "2017-07-17T10:00:00-00:00",
        "Several bindings of one port, one of them active.";
    "data-plane-status" = "Port data plane status extension", "2017-01-24T10:00:00-00:00",
        "What the data plane reports of a port.";
    "default-subnetpools" = "Default Subnetpools", "2016-02-18T18:00:00-00:00",
        "Subnets from the default pool of an address family.";
    "dns-domain-ports" = "dns_domain for ports", "2017-04-24T10:00:00-00:00",
        "A DNS domain of each port.";
    "dns-integration" = "DNS Integration", "2015-08-15T18:00:00-00:00",
        "DNS names of ports and domains of networks.";
    "dns-integration-domain-keywords" = "DNS domain names with keywords allowed", "2020-06-15T18:00:00-00:00",
        "Project and user as keywords in DNS domains.";
    "empty-string-filtering" = "Empty String Filtering Extension", "2018-05-01T10:00:00-00:00",
        "Filters by the empty text.";
    "external-net" = "Neutron external network", "2013-01-14T10:00:00-00:00",
        "Networks that lead outside.";
    "extra_dhcp_opt" = "Neutron Extra DHCP options", "2013-03-17T12:00:00-00:00",
        "DHCP options of each port.";
    "filter-validation" = "Filter parameters validation", "2018-07-04T10:00:00-00:00",
        "Unknown filters are refused.";
    "ip-substring-filtering" = "IP address substring filtering", "2017-11-28T09:00:00-00:00",
        "Filters by a part of an address.";
    "ip_allocation" = "IP Allocation", "2016-06-10T23:00:00-00:00",
        "When the addresses of a port are chosen.";
    "l2_adjacency" = "L2 Adjacency", "2016-04-12T16:00:00-00:00",
        "Whether all ports of a network share one broadcast domain.";
    "multi-provider" = "Multi Provider Network", "2013-06-27T10:00:00-00:00",
        "Networks of several segments.";
    "net-mtu" = "Network MTU", "2015-03-25T10:00:00-00:00",
        "The MTU of networks.";
    "net-mtu-writable" = "Network MTU (writable)", "2017-07-12T00:00:00-00:00",
        "The MTU of networks can be chosen.";
    "network-ip-availability" = "Network IP Availability", "2015-09-24T00:00:00-00:00",
        "How many addresses a network has and uses.";
    "network-ip-availability-details" = "Network IP Availability Details Extension", "2025-10-31T00:00:00-00:00",
        "The addresses in use, in more detail.";
    "network_availability_zone" = "Network Availability Zone", "2015-01-01T10:00:00-00:00",
        "Availability zones of networks.";
    "pagination" = "Pagination support", "2016-06-12T00:00:00-00:00",
        "Lists in pages.";
    "port-device-profile" = "Port device profile", "2020-12-17T10:00:00-00:00",
        "Device profiles of ports.";
    "port-hardware-offload-type" = "Port hardware offload", "2023-05-09T10:00:00-00:00",
        "Hardware offload of ports.";
    "port-hint-ovs-tx-steering" = "Port hint: Open vSwitch Tx steering", "2023-01-01T00:00:00-00:00",
        "How a port's packets are spread over threads, as a hint.";
    "port-hints" = "Port hints", "2023-01-01T00:00:00-00:00",
        "Hints to the data plane about a port.";
    "port-mac-address-regenerate" = "Neutron Port MAC address regenerate", "2018-05-03T10:00:00-00:00",
        "A new MAC address for a port by asking for null.";
    "port-numa-affinity-policy" = "Port NUMA affinity policy", "2020-07-08T10:00:00-00:00",
        "How near to its device a server has to run.";
    "port-numa-affinity-policy-socket" = "Port NUMA affinity policy \"socket\"", "2024-02-09T10:00:00-00:00",
        "The NUMA policy \"socket\".";
    "port-security" = "Port Security", "2012-07-23T10:00:00-00:00",
        "Filtering of ports can be switched off.";
    "port-trusted-vif" = "Port trusted vif", "2024-07-10T10:00:00-00:00",
        "Ports whose virtual function is trusted.";
    "project-id" = "project_id field enabled", "2016-09-09T09:09:09-09:09",
        "project_id beside tenant_id.";
    "provider" = "Provider Network", "2012-09-07T10:00:00-00:00",
        "How networks are realised.";
    "qinq" = "QinQ networks", "2024-12-02T10:00:00-00:00",
        "Networks that carry stacked VLANs.";
    "quota-check-limit" = "Quota engine limit check", "2021-09-08T16:00:00-00:00",
        "Quota changes below the use are refused on demand.";
    "quota-check-limit-default" = "Quota engine limit check by default", "2024-08-21T16:00:00-00:00",
        "Quota changes below the use are refused unless forced.";
    "quota_details" = "Quota details management support", "2017-02-10T10:00:00-00:00",
        "Quotas with what is used of them.";
    "quotas" = "Quota management support", "2012-07-29T10:00:00-00:00",
        "Quotas of projects.";
    "rbac-address-scope" = "Add address_scope type to RBAC", "2020-02-12T00:00:00-00:00",
        "Address scopes can be shared with projects.";
    "rbac-policies" = "RBAC Policies", "2015-06-17T12:15:12-00:00",
        "Sharing of objects with projects.";
    "rbac-security-groups" = "Add security_group type to network RBAC", "2019-02-14T00:00:00-00:00",
        "Security groups can be shared with projects.";
    "revision-if-match" = "If-Match constraints based on revision_number", "2016-12-11T00:00:00-00:00",
        "Changes on condition of a revision.";
    "security-group" = "security-group", "2012-10-05T10:00:00-00:00",
        "Rules for what reaches and leaves ports.";
    "security-groups-default-rules" = "Default rules for security groups", "2022-12-19T10:00:00-00:00",
        "Templates of the rules of new security groups.";
    "security-groups-default-statefulness" = "Security Groups Default Statefulness", "2026-04-13T00:00:00-00:00",
        "Whether new security groups are stateful, for each project.";
    "security-groups-normalized-cidr" = "Normalized CIDR field for security group rules", "2020-07-28T10:00:00-00:00",
        "The network that a rule's prefix stands for.";
    "security-groups-remote-address-group" = "Remote address group id field for security group rules", "2020-08-25T10:00:00-00:00",
        "Rules for the addresses of an address group.";
    "security-groups-rules-belongs-to-default-sg" = "Security group rule belongs to the project's default security group", "2023-05-23T10:00:00-00:00",
        "Whether a rule is one of a default group.";
    "security-groups-shared-filtering" = "Security group filtering on the shared field", "2021-10-05T09:00:00-00:00",
        "Filters by whether a group is shared.";
    "segment" = "Segment", "2016-02-24T17:00:00-00:00",
        "The segments of networks.";
    "service-type" = "Neutron Service Type Management", "2013-01-20T00:00:00-00:00",
        "Providers of services.";
    "sorting" = "Sorting support", "2016-06-12T00:00:00-00:00",
        "Lists in an order.";
    "standard-attr-description" = "standard-attr-description", "2016-02-10T10:00:00-00:00",
        "Descriptions.";
    "standard-attr-revisions" = "Resource revision numbers", "2016-04-11T10:00:00-00:00",
        "Revision numbers that grow with each change.";
    "standard-attr-segment" = "Standard Attribute Segment Extension", "2018-04-09T10:00:00-00:00",
        "Standard attributes of segments.";
    "standard-attr-tag" = "Tag support for resources with standard attribute: port, subnet, subnetpool, network, security_group, router, floatingip, policy, trunk, network_segment_range", "2017-01-01T00:00:00-00:00",
        "Tags.";
    "standard-attr-timestamp" = "Resource timestamps", "2016-09-12T10:00:00-00:00",
        "Times of creation and of the last change.";
    "stateful-security-group" = "Stateful security group", "2019-11-26T09:00:00-00:00",
        "Security groups without connection tracking.";
    "subnet-dns-publish-fixed-ip" = "Subnet DNS publish fixed IP", "2019-05-24T10:00:00-00:00",
        "Whether a subnet's addresses are published in DNS.";
    "subnet-external-network" = "Subnet belongs to an external network", "2024-02-05T18:00:00-00:00",
        "Whether a subnet is on an external network.";
    "subnet-segmentid-writable" = "Subnet SegmentID (writable)", "2018-03-12T00:00:00-00:00",
        "The segment of a subnet can be chosen later.";
    "subnet-service-types" = "Subnet service types", "2016-03-15T18:00:00-00:00",
        "What kind of ports a subnet is for.";
    "subnet_allocation" = "Subnet Allocation", "2015-03-30T10:00:00-00:00",
        "Subnet pools.";
    "subnet_onboard" = "Subnet Onboard", "2018-12-18T09:00:00-00:00",
        "Existing subnets join a subnet pool.";
    "subnetpool-prefix-ops" = "Subnet Pool Prefix Operations", "2019-02-08T10:00:00-00:00",
        "Prefixes join and leave a subnet pool one by one.";
    "tag-creation" = "Tag creation extension", "2024-23-07T10:00:00-00:00",
        "Tags of ports at their creation.";
    "uplink-status-propagation" = "Uplink status propagation extension", "2018-05-31T18:00:00-00:00",
        "Ports that follow the state of their uplink.";
    "uplink-status-propagation-updatable" = "Uplink status propagation updatable extension", "2024-09-03T18:00:00-00:00",
        "Following the uplink can be changed.";
}
