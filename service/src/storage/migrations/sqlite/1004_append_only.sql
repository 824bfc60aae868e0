-- The audit log only grows: SQLite's way to say so.

CREATE TRIGGER audit_events_are_not_changed BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_events_are_not_deleted BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_chain_is_not_changed BEFORE UPDATE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER audit_chain_is_not_deleted BEFORE DELETE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
