-- The L2 part of the Networking API. Portable DDL: VARCHAR, BOOLEAN, BIGINT and JSONTEXT only.
-- Names of constraints are part of the program: violations become faults by name.

CREATE TABLE tags (
  resource_id VARCHAR(36) NOT NULL,
  tag VARCHAR(255) NOT NULL,
  CONSTRAINT pk_tags PRIMARY KEY (resource_id, tag)
);
CREATE INDEX ix_tags_tag ON tags (tag);

CREATE TABLE rbac_policies (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  object_type VARCHAR(64) NOT NULL,
  object_id VARCHAR(36) NOT NULL,
  action VARCHAR(64) NOT NULL,
  target_project VARCHAR(255) NOT NULL,
  CONSTRAINT pk_rbac_policies PRIMARY KEY (id),
  CONSTRAINT uq_rbac_policies_entry UNIQUE (object_id, object_type, action, target_project)
);
CREATE INDEX ix_rbac_policies_target ON rbac_policies (target_project, object_type, action);

CREATE TABLE quotas (
  project_id VARCHAR(255) NOT NULL,
  resource VARCHAR(64) NOT NULL,
  amount BIGINT NOT NULL,
  CONSTRAINT pk_quotas PRIMARY KEY (project_id, resource)
);

-- How many of each a project has: counted by every create and delete in its own transaction.
CREATE TABLE quota_usage (
  project_id VARCHAR(255) NOT NULL,
  resource VARCHAR(64) NOT NULL,
  used BIGINT NOT NULL,
  CONSTRAINT pk_quota_usage PRIMARY KEY (project_id, resource)
);

CREATE TABLE address_scopes (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  ip_version BIGINT NOT NULL,
  CONSTRAINT pk_address_scopes PRIMARY KEY (id)
);
CREATE INDEX ix_address_scopes_project ON address_scopes (project_id);

CREATE TABLE subnetpools (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(255) NOT NULL,
  ip_version BIGINT NOT NULL,
  address_scope_id VARCHAR(36) NULL,
  default_prefixlen BIGINT NOT NULL,
  min_prefixlen BIGINT NOT NULL,
  max_prefixlen BIGINT NOT NULL,
  default_quota BIGINT NULL,
  is_default BOOLEAN NOT NULL,
  -- The ip_version of a default pool, null for others: at most one default a family.
  default_of BIGINT NULL,
  prefixes JSONTEXT NOT NULL,
  -- Counts the allocations: two that race for one prefix cannot both advance it.
  generation BIGINT NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_subnetpools PRIMARY KEY (id),
  CONSTRAINT uq_subnetpools_default UNIQUE (default_of),
  CONSTRAINT fk_subnetpools_address_scope FOREIGN KEY (address_scope_id) REFERENCES address_scopes (id)
);
CREATE INDEX ix_subnetpools_project ON subnetpools (project_id);

CREATE TABLE networks (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(255) NOT NULL,
  admin_state_up BOOLEAN NOT NULL,
  status VARCHAR(16) NOT NULL,
  mtu BIGINT NOT NULL,
  port_security_enabled BOOLEAN NOT NULL,
  router_external BOOLEAN NOT NULL,
  is_default BOOLEAN NOT NULL,
  vlan_transparent BOOLEAN NULL,
  qinq BOOLEAN NOT NULL,
  dns_domain VARCHAR(255) NOT NULL,
  qos_policy_id VARCHAR(36) NULL,
  availability_zone_hints JSONTEXT NOT NULL,
  -- Counts the changes of its subnets and segments: two that race cannot both advance it.
  generation BIGINT NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_networks PRIMARY KEY (id)
);
CREATE INDEX ix_networks_project ON networks (project_id);
CREATE INDEX ix_networks_name ON networks (name);

CREATE TABLE segments (
  id VARCHAR(36) NOT NULL,
  network_id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NULL,
  description VARCHAR(255) NOT NULL,
  network_type VARCHAR(32) NOT NULL,
  physical_network VARCHAR(64) NULL,
  segmentation_id BIGINT NULL,
  segment_index BIGINT NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_segments PRIMARY KEY (id),
  CONSTRAINT fk_segments_network FOREIGN KEY (network_id) REFERENCES networks (id)
);
CREATE INDEX ix_segments_network ON segments (network_id);

-- A VLAN id, a VNI or a flat network, taken by a segment. Where there is none: '' and 0.
CREATE TABLE segment_allocations (
  network_type VARCHAR(32) NOT NULL,
  physical_network VARCHAR(64) NOT NULL,
  segmentation_id BIGINT NOT NULL,
  segment_id VARCHAR(36) NOT NULL,
  CONSTRAINT pk_segment_allocations PRIMARY KEY (network_type, physical_network, segmentation_id),
  CONSTRAINT fk_segment_allocations_segment FOREIGN KEY (segment_id) REFERENCES segments (id) ON DELETE CASCADE
);
CREATE INDEX ix_segment_allocations_segment ON segment_allocations (segment_id);

CREATE TABLE subnets (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  network_id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(255) NOT NULL,
  ip_version BIGINT NOT NULL,
  cidr VARCHAR(64) NOT NULL,
  gateway_ip VARCHAR(64) NULL,
  enable_dhcp BOOLEAN NOT NULL,
  ipv6_ra_mode VARCHAR(16) NULL,
  ipv6_address_mode VARCHAR(16) NULL,
  -- As shown: a pool's id or prefix_delegation; pool_id is the reference of the first.
  subnetpool_id VARCHAR(36) NULL,
  pool_id VARCHAR(36) NULL,
  segment_id VARCHAR(36) NULL,
  dns_publish_fixed_ip BOOLEAN NOT NULL,
  allocation_pools JSONTEXT NOT NULL,
  dns_nameservers JSONTEXT NOT NULL,
  host_routes JSONTEXT NOT NULL,
  service_types JSONTEXT NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_subnets PRIMARY KEY (id),
  CONSTRAINT fk_subnets_network FOREIGN KEY (network_id) REFERENCES networks (id),
  CONSTRAINT fk_subnets_subnetpool FOREIGN KEY (pool_id) REFERENCES subnetpools (id),
  CONSTRAINT fk_subnets_segment FOREIGN KEY (segment_id) REFERENCES segments (id)
);
CREATE INDEX ix_subnets_network ON subnets (network_id);
CREATE INDEX ix_subnets_project ON subnets (project_id);
CREATE INDEX ix_subnets_subnetpool ON subnets (subnetpool_id);
CREATE INDEX ix_subnets_pool ON subnets (pool_id);
CREATE INDEX ix_subnets_segment ON subnets (segment_id);

CREATE TABLE address_groups (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(1024) NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_address_groups PRIMARY KEY (id)
);
CREATE INDEX ix_address_groups_project ON address_groups (project_id);

CREATE TABLE address_group_addresses (
  address_group_id VARCHAR(36) NOT NULL,
  address VARCHAR(64) NOT NULL,
  CONSTRAINT pk_address_group_addresses PRIMARY KEY (address_group_id, address),
  CONSTRAINT fk_address_group_addresses_group FOREIGN KEY (address_group_id) REFERENCES address_groups (id) ON DELETE CASCADE
);

CREATE TABLE security_groups (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(255) NOT NULL,
  stateful BOOLEAN NOT NULL,
  -- The project of a default group, null for others: one default group a project.
  default_of VARCHAR(255) NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_security_groups PRIMARY KEY (id),
  CONSTRAINT uq_security_groups_default UNIQUE (default_of)
);
CREATE INDEX ix_security_groups_project ON security_groups (project_id);

CREATE TABLE security_group_rules (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  security_group_id VARCHAR(36) NOT NULL,
  direction VARCHAR(10) NOT NULL,
  ethertype VARCHAR(10) NOT NULL,
  protocol VARCHAR(40) NULL,
  port_range_min BIGINT NULL,
  port_range_max BIGINT NULL,
  remote_group_id VARCHAR(36) NULL,
  remote_address_group_id VARCHAR(36) NULL,
  remote_ip_prefix VARCHAR(64) NULL,
  normalized_cidr VARCHAR(64) NULL,
  -- Null for rules made from a template.
  description VARCHAR(255) NULL,
  -- What the rule permits, written in one way: two rules of a group that permit the same are refused.
  meaning VARCHAR(255) NOT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_security_group_rules PRIMARY KEY (id),
  CONSTRAINT uq_security_group_rules_meaning UNIQUE (security_group_id, meaning),
  CONSTRAINT fk_security_group_rules_group FOREIGN KEY (security_group_id) REFERENCES security_groups (id),
  CONSTRAINT fk_security_group_rules_remote FOREIGN KEY (remote_group_id) REFERENCES security_groups (id),
  CONSTRAINT fk_security_group_rules_addresses FOREIGN KEY (remote_address_group_id) REFERENCES address_groups (id)
);
CREATE INDEX ix_security_group_rules_remote ON security_group_rules (remote_group_id);
CREATE INDEX ix_security_group_rules_addresses ON security_group_rules (remote_address_group_id);
CREATE INDEX ix_security_group_rules_project ON security_group_rules (project_id);

CREATE TABLE default_security_group_rules (
  id VARCHAR(36) NOT NULL,
  direction VARCHAR(10) NOT NULL,
  ethertype VARCHAR(10) NOT NULL,
  protocol VARCHAR(40) NULL,
  port_range_min BIGINT NULL,
  port_range_max BIGINT NULL,
  -- A group id, or PARENT for the group that the rule is made in.
  remote_group_id VARCHAR(36) NULL,
  remote_address_group_id VARCHAR(36) NULL,
  remote_ip_prefix VARCHAR(64) NULL,
  description VARCHAR(255) NOT NULL,
  used_in_default_sg BOOLEAN NOT NULL,
  used_in_non_default_sg BOOLEAN NOT NULL,
  -- What the rule permits, where it is used in such groups: each only once.
  meaning_in_default VARCHAR(255) NULL,
  meaning_in_non_default VARCHAR(255) NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_default_security_group_rules PRIMARY KEY (id),
  CONSTRAINT uq_default_security_group_rules_default UNIQUE (meaning_in_default),
  CONSTRAINT uq_default_security_group_rules_non_default UNIQUE (meaning_in_non_default)
);

CREATE TABLE security_groups_default_statefulness (
  id VARCHAR(36) NOT NULL,
  -- Null: every project without its own.
  project_id VARCHAR(255) NULL,
  stateful BOOLEAN NOT NULL,
  -- The project, '' for null: at most one each.
  scope VARCHAR(255) NOT NULL,
  CONSTRAINT pk_security_groups_default_statefulness PRIMARY KEY (id),
  CONSTRAINT uq_security_groups_default_statefulness_scope UNIQUE (scope)
);

CREATE TABLE ports (
  id VARCHAR(36) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  network_id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  description VARCHAR(255) NOT NULL,
  mac_address VARCHAR(32) NOT NULL,
  admin_state_up BOOLEAN NOT NULL,
  status VARCHAR(16) NOT NULL,
  device_id VARCHAR(255) NOT NULL,
  device_owner VARCHAR(255) NOT NULL,
  port_security_enabled BOOLEAN NOT NULL,
  ip_allocation VARCHAR(16) NOT NULL,
  dns_name VARCHAR(255) NOT NULL,
  dns_domain VARCHAR(255) NOT NULL,
  data_plane_status VARCHAR(16) NULL,
  propagate_uplink_status BOOLEAN NOT NULL,
  numa_affinity_policy VARCHAR(64) NULL,
  device_profile VARCHAR(255) NULL,
  hardware_offload_type VARCHAR(64) NULL,
  trusted BOOLEAN NULL,
  qos_policy_id VARCHAR(36) NULL,
  allowed_address_pairs JSONTEXT NOT NULL,
  extra_dhcp_opts JSONTEXT NOT NULL,
  hints JSONTEXT NULL,
  created_at VARCHAR(20) NOT NULL,
  updated_at VARCHAR(20) NOT NULL,
  revision_number BIGINT NOT NULL,
  CONSTRAINT pk_ports PRIMARY KEY (id),
  CONSTRAINT uq_ports_mac_address UNIQUE (network_id, mac_address),
  CONSTRAINT fk_ports_network FOREIGN KEY (network_id) REFERENCES networks (id)
);
CREATE INDEX ix_ports_project ON ports (project_id);
CREATE INDEX ix_ports_device ON ports (device_id, device_owner);
CREATE INDEX ix_ports_mac_address ON ports (mac_address);
CREATE INDEX ix_ports_name ON ports (name);

CREATE TABLE ip_allocations (
  subnet_id VARCHAR(36) NOT NULL,
  ip_address VARCHAR(64) NOT NULL,
  port_id VARCHAR(36) NOT NULL,
  -- The order in which the port shows them.
  place BIGINT NOT NULL,
  CONSTRAINT pk_ip_allocations PRIMARY KEY (subnet_id, ip_address),
  CONSTRAINT fk_ip_allocations_subnet FOREIGN KEY (subnet_id) REFERENCES subnets (id),
  CONSTRAINT fk_ip_allocations_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE
);
CREATE INDEX ix_ip_allocations_port ON ip_allocations (port_id);
CREATE INDEX ix_ip_allocations_address ON ip_allocations (ip_address);

CREATE TABLE port_security_groups (
  port_id VARCHAR(36) NOT NULL,
  security_group_id VARCHAR(36) NOT NULL,
  CONSTRAINT pk_port_security_groups PRIMARY KEY (port_id, security_group_id),
  CONSTRAINT fk_port_security_groups_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE,
  CONSTRAINT fk_port_security_groups_group FOREIGN KEY (security_group_id) REFERENCES security_groups (id)
);
CREATE INDEX ix_port_security_groups_group ON port_security_groups (security_group_id);

-- Where a port is plugged in. Every port has exactly one ACTIVE row; an unbound one has host ''.
CREATE TABLE port_bindings (
  port_id VARCHAR(36) NOT NULL,
  host VARCHAR(255) NOT NULL,
  status VARCHAR(16) NOT NULL,
  -- The port's id while ACTIVE, else null: the unique key is what makes the active one the only one.
  active_port VARCHAR(36) NULL,
  vnic_type VARCHAR(64) NOT NULL,
  vif_type VARCHAR(64) NOT NULL,
  profile JSONTEXT NOT NULL,
  vif_details JSONTEXT NOT NULL,
  CONSTRAINT pk_port_bindings PRIMARY KEY (port_id, host),
  CONSTRAINT uq_port_bindings_active UNIQUE (active_port),
  CONSTRAINT fk_port_bindings_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE
);
CREATE INDEX ix_port_bindings_host ON port_bindings (host);

-- Where a distributed router port is plugged in: on each host that has asked.
CREATE TABLE distributed_port_bindings (
  port_id VARCHAR(36) NOT NULL,
  host VARCHAR(255) NOT NULL,
  router_id VARCHAR(36) NOT NULL,
  status VARCHAR(16) NOT NULL,
  vnic_type VARCHAR(64) NOT NULL,
  vif_type VARCHAR(64) NOT NULL,
  profile JSONTEXT NOT NULL,
  vif_details JSONTEXT NOT NULL,
  CONSTRAINT pk_distributed_port_bindings PRIMARY KEY (port_id, host),
  CONSTRAINT fk_distributed_port_bindings_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE
);

-- The segments a binding goes through, outermost first.
CREATE TABLE port_binding_levels (
  port_id VARCHAR(36) NOT NULL,
  host VARCHAR(255) NOT NULL,
  level BIGINT NOT NULL,
  driver VARCHAR(64) NOT NULL,
  segment_id VARCHAR(36) NULL,
  CONSTRAINT pk_port_binding_levels PRIMARY KEY (port_id, host, level),
  CONSTRAINT fk_port_binding_levels_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE,
  CONSTRAINT fk_port_binding_levels_segment FOREIGN KEY (segment_id) REFERENCES segments (id) ON DELETE CASCADE
);
CREATE INDEX ix_port_binding_levels_segment ON port_binding_levels (segment_id);
