-- One text for SQLite and PostgreSQL: TEXT and BIGINT only. Instants are microseconds since 1970, dates ISO 8601.

CREATE TABLE users (
    id            TEXT   PRIMARY KEY,
    email         TEXT   NOT NULL UNIQUE,
    full_name     TEXT,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);

CREATE TABLE refresh_tokens (
    id         TEXT   PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    spent_at   BIGINT
);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE trips (
    id           TEXT   PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title        TEXT   NOT NULL,
    description  TEXT,
    start_date   TEXT   NOT NULL,
    end_date     TEXT   NOT NULL CHECK (end_date >= start_date),
    destinations TEXT   NOT NULL,
    preferences  TEXT,
    status       TEXT   NOT NULL CHECK (status IN ('planning', 'booked', 'in_progress', 'completed', 'cancelled')),
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);
CREATE INDEX trips_by_user ON trips (user_id, created_at);

CREATE TABLE audit_events (
    id         TEXT   PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    subject_id TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE idempotency_keys (
    user_id     TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    operation   TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    resource_id TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, operation, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE chat_sessions (
    id         TEXT   PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    agent      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX chat_sessions_by_user ON chat_sessions (user_id, updated_at);

CREATE TABLE chat_messages (
    id         TEXT   PRIMARY KEY,
    session_id TEXT   NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    role       TEXT   NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content    TEXT   NOT NULL,
    metadata   TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_messages_by_session ON chat_messages (session_id, created_at, id);
