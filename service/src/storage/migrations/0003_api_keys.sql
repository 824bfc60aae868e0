-- Users' own keys for providers. `secret` is sealed: see the module `sealing`.

CREATE TABLE api_keys (
    id          TEXT   PRIMARY KEY,
    user_id     TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    service     TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    description TEXT,
    secret      TEXT   NOT NULL,
    is_valid    BIGINT NOT NULL CHECK (is_valid IN (0, 1)),
    expires_at  BIGINT NOT NULL,
    last_used   BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (user_id, service, name)
);
