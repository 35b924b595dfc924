-- The built-in tokens. Only a hash of a token is kept: who reads the database cannot use it.
CREATE TABLE auth_tokens (
  id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  token_hash VARCHAR(64) NOT NULL,
  user_id VARCHAR(255) NOT NULL,
  project_id VARCHAR(255) NOT NULL,
  roles JSONTEXT NOT NULL,
  created_at VARCHAR(32) NOT NULL,
  expires_at VARCHAR(32) NULL,
  revoked_at VARCHAR(32) NULL,
  CONSTRAINT pk_auth_tokens PRIMARY KEY (id),
  CONSTRAINT uq_auth_tokens_hash UNIQUE (token_hash)
);
