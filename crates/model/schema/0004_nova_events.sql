-- What Nova has yet to be told of its ports: written in the transaction that changes the port, gone
-- once Nova has answered. Events of one port are told in the order of `seq`.

CREATE TABLE nova_events (
  port_id VARCHAR(36) NOT NULL,
  seq BIGINT NOT NULL,
  name VARCHAR(64) NOT NULL,
  -- completed, failed, or null where the event has none.
  status VARCHAR(16) NULL,
  server_uuid VARCHAR(36) NOT NULL,
  -- Milliseconds since 1970.
  created_at BIGINT NOT NULL,
  -- Who is telling it, 0 for nobody; until when, or when it may be tried again.
  claim BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  CONSTRAINT pk_nova_events PRIMARY KEY (port_id, seq)
);
CREATE INDEX ix_nova_events_due ON nova_events (due_at);
