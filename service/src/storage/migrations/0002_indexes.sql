-- What a deletion follows from its owner, and a page of trips in the order in which it is shown.

CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);
DROP INDEX trips_by_user;
CREATE INDEX trips_by_user_newest_first ON trips (user_id, created_at DESC, id);
