-- Exports and erasures look for what a user planned in the trips of others.

CREATE INDEX itinerary_items_by_author ON itinerary_items (created_by, id);
