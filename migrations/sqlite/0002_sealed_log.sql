-- The sealed audit log: batches of events, chained and signed (docs/audit.md).
--
-- The triggers stand in the way of mistakes. Against somebody who can drop them stand the signatures.

-- Events that no batch holds yet: each is put here by the commit that appends it, whoever wrote that commit, and taken
-- out by the one that seals it.
CREATE TABLE audit_unsealed (
    event_id BLOB NOT NULL PRIMARY KEY CHECK (length(event_id) = 16)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_events_wait_to_be_sealed AFTER INSERT ON audit_events
BEGIN
    INSERT INTO audit_unsealed (event_id) VALUES (NEW.id);
END;

INSERT INTO audit_unsealed (event_id) SELECT id FROM audit_events;

-- Headers stay for ever.
CREATE TABLE audit_batches (
    number    INTEGER NOT NULL PRIMARY KEY CHECK (number >= 1),
    sealed_at INTEGER NOT NULL,
    events    INTEGER NOT NULL CHECK (events BETWEEN 1 AND 1000),
    total     INTEGER NOT NULL CHECK (total >= events),
    root      BLOB    NOT NULL CHECK (length(root) = 32),
    previous  BLOB    NOT NULL UNIQUE CHECK (length(previous) = 32),
    key_id    TEXT    NOT NULL CHECK (length(key_id) = 8),
    signature BLOB    NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE INDEX audit_batches_by_time ON audit_batches (sealed_at, number);

CREATE TABLE audit_members (
    batch      INTEGER NOT NULL CHECK (batch >= 1),
    leaf_index INTEGER NOT NULL CHECK (leaf_index BETWEEN 0 AND 999),
    event_id   BLOB    NOT NULL UNIQUE CHECK (length(event_id) = 16),
    leaf_hash  BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    PRIMARY KEY (batch, leaf_index)
) STRICT, WITHOUT ROWID;

-- Keys that sign batches. Kept for ever: what they signed must stay verifiable.
CREATE TABLE audit_keys (
    id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 8),
    verifier_key       TEXT    NOT NULL CHECK (length(verifier_key) BETWEEN 1 AND 512),
    sealed_private_key BLOB    NOT NULL CHECK (length(sealed_private_key) > 0),
    created_at         INTEGER NOT NULL,
    endorsed_by        TEXT             CHECK (length(endorsed_by) = 8),
    endorsement        BLOB             CHECK (length(endorsement) = 64),
    CHECK ((endorsed_by IS NULL) = (endorsement IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_keys_by_birth ON audit_keys (created_at, id);

-- Signed statements that batches were emptied.
CREATE TABLE audit_prunes (
    through       INTEGER NOT NULL PRIMARY KEY CHECK (through >= 1),
    chain         BLOB    NOT NULL CHECK (length(chain) = 32),
    pruned_before INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    key_id        TEXT    NOT NULL CHECK (length(key_id) = 8),
    signature     BLOB    NOT NULL CHECK (length(signature) = 64)
) STRICT;

-- The one way an event goes: with its whole batch, after a prune record says so.
DROP TRIGGER audit_events_are_never_deleted;

CREATE TRIGGER audit_events_are_deleted_by_pruning_alone BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is deleted by pruning alone')
    WHERE NOT EXISTS (
        SELECT 1 FROM audit_members
        WHERE event_id = OLD.id AND batch <= (SELECT max(through) FROM audit_prunes)
    );
END;

CREATE TRIGGER audit_members_are_deleted_by_pruning_alone BEFORE DELETE ON audit_members
BEGIN
    SELECT RAISE(ABORT, 'the place of an audit event is deleted by pruning alone')
    WHERE OLD.batch > coalesce((SELECT max(through) FROM audit_prunes), 0)
        OR EXISTS (SELECT 1 FROM audit_events WHERE id = OLD.event_id);
END;

CREATE TRIGGER audit_members_are_never_updated BEFORE UPDATE ON audit_members
BEGIN
    SELECT RAISE(ABORT, 'the place of an audit event never changes');
END;

CREATE TRIGGER audit_batches_are_never_updated BEFORE UPDATE ON audit_batches
BEGIN
    SELECT RAISE(ABORT, 'an audit batch is never updated');
END;

CREATE TRIGGER audit_batches_are_never_deleted BEFORE DELETE ON audit_batches
BEGIN
    SELECT RAISE(ABORT, 'an audit batch is never deleted');
END;

CREATE TRIGGER audit_keys_are_never_updated BEFORE UPDATE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'an audit key is never updated');
END;

CREATE TRIGGER audit_keys_are_never_deleted BEFORE DELETE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'an audit key is never deleted');
END;

CREATE TRIGGER audit_prunes_are_never_updated BEFORE UPDATE ON audit_prunes
BEGIN
    SELECT RAISE(ABORT, 'a prune record is never updated');
END;

CREATE TRIGGER audit_prunes_are_never_deleted BEFORE DELETE ON audit_prunes
BEGIN
    SELECT RAISE(ABORT, 'a prune record is never deleted');
END;
