-- Preferences, exports, deletions, and the chain of the audit log.

ALTER TABLE users ADD COLUMN preferences TEXT;
-- Set on a tombstone: a user who asked to be forgotten, of whom only the id is left.
ALTER TABLE users ADD COLUMN deleted_at BIGINT;


-- JSON, never personal data: an event outlives its user.
ALTER TABLE audit_events ADD COLUMN details TEXT;
CREATE INDEX audit_events_by_time ON audit_events (created_at, id);
CREATE INDEX audit_events_by_user ON audit_events (user_id, id);

CREATE TABLE audit_chain (
    seq           BIGINT PRIMARY KEY,
    event_id      TEXT   NOT NULL UNIQUE,
    previous_hash TEXT   NOT NULL,
    hash          TEXT   NOT NULL
);

CREATE TABLE leases (
    name       TEXT   PRIMARY KEY,
    holder     TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE exports (
    id          TEXT   PRIMARY KEY,
    user_id     TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    status      TEXT   NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
    created_at  BIGINT NOT NULL,
    finished_at BIGINT,
    expires_at  BIGINT NOT NULL,
    -- When it is somebody's turn to build it: now, or once the one who builds it is taken for dead.
    due_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    bytes       BIGINT,
    sha256      TEXT
);
CREATE UNIQUE INDEX exports_pending_by_user ON exports (user_id) WHERE status = 'pending';
CREATE INDEX exports_by_user ON exports (user_id);
CREATE INDEX exports_by_expiry ON exports (expires_at);
CREATE INDEX exports_due ON exports (due_at) WHERE status = 'pending';

CREATE TABLE export_parts (
    export_id TEXT   NOT NULL REFERENCES exports (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    -- Base64.
    content   TEXT   NOT NULL,
    PRIMARY KEY (export_id, number)
);

-- Who asked to be forgotten. It refers to no user: it must hold also where a restored database has none.
CREATE TABLE deletions (
    user_id      TEXT   PRIMARY KEY,
    requested_at BIGINT NOT NULL,
    -- When it is somebody's turn to erase what is left.
    due_at       BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    finished_at  BIGINT
);
CREATE INDEX deletions_by_time ON deletions (requested_at);
CREATE INDEX deletions_due ON deletions (due_at) WHERE finished_at IS NULL;
