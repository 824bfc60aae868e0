-- A booking is here, pending, before its provider is asked; its id is the provider's idempotency key.
-- `due_at` and `leased_until` count only while the state is pending or cancelling: when to ask again, and who may.

CREATE TABLE bookings (
    id                TEXT   PRIMARY KEY,
    user_id           TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    trip_id           TEXT   REFERENCES trips (id) ON DELETE SET NULL,
    offer_id          TEXT   NOT NULL,
    flight            TEXT   NOT NULL,
    hold_only         BIGINT NOT NULL CHECK (hold_only IN (0, 1)),
    passengers_sealed TEXT   NOT NULL,
    total_cents       BIGINT NOT NULL CHECK (total_cents >= 0),
    currency          TEXT   NOT NULL,
    state             TEXT   NOT NULL CHECK (state IN ('pending', 'booked', 'saved', 'failed', 'cancelling', 'cancelled')),
    status            TEXT   NOT NULL CHECK (status IN ('booked', 'saved', 'cancelled')),
    reason            TEXT,
    placed            TEXT   CHECK (placed IS NOT NULL OR state <> 'booked'),
    attempts          BIGINT NOT NULL,
    due_at            BIGINT NOT NULL,
    leased_until      BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);
CREATE INDEX bookings_by_user ON bookings (user_id, created_at);
CREATE INDEX bookings_by_trip ON bookings (trip_id, created_at);
CREATE INDEX bookings_by_state ON bookings (state, due_at);
