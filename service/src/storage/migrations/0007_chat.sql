-- What a chat session is about, what went wrong in it and what its tools found; and turns that have an idempotency key.

ALTER TABLE chat_sessions ADD COLUMN title TEXT;
ALTER TABLE chat_sessions ADD COLUMN metadata TEXT;
ALTER TABLE chat_sessions ADD COLUMN trip_id TEXT REFERENCES trips (id) ON DELETE SET NULL;
ALTER TABLE chat_sessions ADD COLUMN errors BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chat_sessions ADD COLUMN known TEXT;
-- Partial: a turn, which changes `updated_at`, touches one of them.
CREATE INDEX chat_sessions_by_trip ON chat_sessions (trip_id) WHERE trip_id IS NOT NULL;
CREATE INDEX chat_sessions_by_end ON chat_sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX chat_sessions_open ON chat_sessions (updated_at) WHERE ended_at IS NULL;

-- `message_id` is what the user said, when that is kept; `answer` is the whole answer, as JSON.
CREATE TABLE chat_turns (
    id            TEXT   PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id    TEXT   NOT NULL,
    message_id    TEXT,
    status        TEXT   NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    running_until BIGINT NOT NULL,
    answer        TEXT,
    created_at    BIGINT NOT NULL
);
CREATE INDEX chat_turns_by_user ON chat_turns (user_id);
CREATE INDEX chat_turns_by_age ON chat_turns (created_at);
