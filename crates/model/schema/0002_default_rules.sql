-- The rules that new security groups begin with, as in a new Neutron: everything may leave; into a
-- default group come those who are in it too.

INSERT INTO default_security_group_rules (
  id, direction, ethertype, protocol, port_range_min, port_range_max,
  remote_group_id, remote_address_group_id, remote_ip_prefix, description,
  used_in_default_sg, used_in_non_default_sg, meaning_in_default, meaning_in_non_default,
  created_at, updated_at, revision_number
) VALUES
  ('5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a01', 'egress', 'IPv4', NULL, NULL, NULL,
   NULL, NULL, NULL, 'Everything may leave over IPv4', TRUE, TRUE,
   'egress_IPv4_+_+_+_+_+_+', 'egress_IPv4_+_+_+_+_+_+',
   '2026-11-21T00:00:00Z', '2026-11-21T00:00:00Z', 0),
  ('5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a02', 'egress', 'IPv6', NULL, NULL, NULL,
   NULL, NULL, NULL, 'Everything may leave over IPv6', TRUE, TRUE,
   'egress_IPv6_+_+_+_+_+_+', 'egress_IPv6_+_+_+_+_+_+',
   '2026-11-21T00:00:00Z', '2026-11-21T00:00:00Z', 0),
  ('5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a03', 'ingress', 'IPv4', NULL, NULL, NULL,
   'PARENT', NULL, NULL, 'Members of the group may come in over IPv4', TRUE, FALSE,
   'ingress_IPv4_+_+_+_PARENT_+_+', NULL,
   '2026-11-21T00:00:00Z', '2026-11-21T00:00:00Z', 0),
  ('5d1e6b5e-8d0c-4f0e-9a53-1f5f6c2b7a04', 'ingress', 'IPv6', NULL, NULL, NULL,
   'PARENT', NULL, NULL, 'Members of the group may come in over IPv6', TRUE, FALSE,
   'ingress_IPv6_+_+_+_PARENT_+_+', NULL,
   '2026-11-21T00:00:00Z', '2026-11-21T00:00:00Z', 0);
