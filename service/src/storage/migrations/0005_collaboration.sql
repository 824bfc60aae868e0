-- Who a trip is shared with, and what happens on which day of it.

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

-- `details` is the item as it was sent, as JSON.
CREATE TABLE itinerary_items (
    id         TEXT   PRIMARY KEY,
    trip_id    TEXT   NOT NULL REFERENCES trips (id) ON DELETE CASCADE,
    date       TEXT   NOT NULL,
    details    TEXT   NOT NULL,
    created_by TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX itinerary_items_by_trip ON itinerary_items (trip_id, date);
