-- Who a trip is shared with.

CREATE TABLE trip_collaborators (
    trip_id    TEXT   NOT NULL REFERENCES trips (id) ON DELETE CASCADE,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission TEXT   NOT NULL CHECK (permission IN ('view', 'edit', 'admin')),
    added_by   TEXT   NOT NULL,
    added_at   BIGINT NOT NULL,
    message    TEXT,
    PRIMARY KEY (trip_id, user_id)
);
CREATE INDEX trip_collaborators_by_user ON trip_collaborators (user_id, trip_id);
