-- The single addresses in the allowed address pairs of ports, as a port's own addresses are written:
-- by them is found whose address a port may use besides its own.
CREATE TABLE port_address_pairs (
  port_id VARCHAR(36) NOT NULL,
  ip_address VARCHAR(64) NOT NULL,
  network_id VARCHAR(36) NOT NULL,
  CONSTRAINT pk_port_address_pairs PRIMARY KEY (port_id, ip_address),
  CONSTRAINT fk_port_address_pairs_port FOREIGN KEY (port_id) REFERENCES ports (id) ON DELETE CASCADE
);
CREATE INDEX ix_port_address_pairs_address ON port_address_pairs (network_id, ip_address);
