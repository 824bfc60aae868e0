CREATE TABLE trip_collaborators (
    trip_id    TEXT   NOT NULL REFERENCES trips (id) ON DELETE CASCADE,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission TEXT   NOT NULL CHECK (permission IN ('view', 'edit', 'admin')),
    added_by   TEXT   NOT NULL,
    added_at   BIGINT NOT NULL,
    PRIMARY KEY (trip_id, user_id)
);
