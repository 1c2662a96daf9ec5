-- The sealed audit log: batches of events, chained and signed (docs/audit.md).
--
-- The triggers stand in the way of mistakes. Against somebody who can drop them stand the signatures.

SET LOCAL lock_timeout = '2s';

-- Events that no batch holds yet: each is put here by the commit that appends it, whoever wrote that commit, and taken
-- out by the one that seals it. Small and busy: cleaned often.
CREATE TABLE audit_unsealed (
    event_id uuid NOT NULL PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 1000000);

CREATE FUNCTION audit_event_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id) VALUES (NEW.id);
    RETURN NULL;
END;
$$;

-- Making a trigger keeps others from appending until this commits: no event is between the trigger and the list.
CREATE TRIGGER audit_events_wait_to_be_sealed AFTER INSERT ON audit_events FOR EACH ROW
EXECUTE FUNCTION audit_event_waits();

INSERT INTO audit_unsealed (event_id) SELECT id FROM audit_events;

-- Headers stay for ever.
CREATE TABLE audit_batches (
    number    bigint  NOT NULL CONSTRAINT audit_batches_number PRIMARY KEY CHECK (number >= 1),
    sealed_at bigint  NOT NULL,
    events    integer NOT NULL CHECK (events BETWEEN 1 AND 1000),
    total     bigint  NOT NULL CHECK (total >= events),
    root      bytea   NOT NULL CHECK (octet_length(root) = 32),
    previous  bytea   NOT NULL CONSTRAINT audit_batches_previous UNIQUE CHECK (octet_length(previous) = 32),
    key_id    text    NOT NULL CHECK (char_length(key_id) = 8),
    signature bytea   NOT NULL CHECK (octet_length(signature) = 64)
);

CREATE INDEX audit_batches_by_time ON audit_batches (sealed_at, number);

-- No foreign keys: rows are written with their batch or not at all, and verification looks for those without one.
CREATE TABLE audit_members (
    batch      bigint  NOT NULL CHECK (batch >= 1),
    leaf_index integer NOT NULL CHECK (leaf_index BETWEEN 0 AND 999),
    event_id   uuid    NOT NULL CONSTRAINT audit_members_event UNIQUE,
    leaf_hash  bytea   NOT NULL CHECK (octet_length(leaf_hash) = 32),
    CONSTRAINT audit_members_place PRIMARY KEY (batch, leaf_index)
);

-- Keys that sign batches. Kept for ever: what they signed must stay verifiable.
CREATE TABLE audit_keys (
    id                 text   COLLATE "C" NOT NULL PRIMARY KEY CHECK (char_length(id) = 8),
    verifier_key       text   NOT NULL CHECK (char_length(verifier_key) BETWEEN 1 AND 512),
    sealed_private_key bytea  NOT NULL CHECK (octet_length(sealed_private_key) > 0),
    created_at         bigint NOT NULL,
    endorsed_by        text            CHECK (char_length(endorsed_by) = 8),
    endorsement        bytea           CHECK (octet_length(endorsement) = 64),
    CHECK ((endorsed_by IS NULL) = (endorsement IS NULL))
);

CREATE INDEX audit_keys_by_birth ON audit_keys (created_at, id);

-- Signed statements that batches were emptied.
CREATE TABLE audit_prunes (
    through       bigint NOT NULL PRIMARY KEY CHECK (through >= 1),
    chain         bytea  NOT NULL CHECK (octet_length(chain) = 32),
    pruned_before bigint NOT NULL,
    at            bigint NOT NULL,
    key_id        text   NOT NULL CHECK (char_length(key_id) = 8),
    signature     bytea  NOT NULL CHECK (octet_length(signature) = 64)
);

-- The one way an event goes: with its whole batch, after a prune record says so.
DROP TRIGGER audit_events_are_never_deleted ON audit_events;

CREATE FUNCTION audit_event_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM audit_members
        WHERE event_id = OLD.id AND batch <= (SELECT max(through) FROM audit_prunes)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'an audit event is deleted by pruning alone';
    END IF;
    RETURN OLD;
END;
$$;

CREATE TRIGGER audit_events_are_deleted_by_pruning_alone BEFORE DELETE ON audit_events FOR EACH ROW
EXECUTE FUNCTION audit_event_goes();

CREATE FUNCTION audit_member_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.batch > coalesce((SELECT max(through) FROM audit_prunes), 0)
        OR EXISTS (SELECT FROM audit_events WHERE id = OLD.event_id)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'the place of an audit event is deleted by pruning alone';
    END IF;
    RETURN OLD;
END;
$$;

CREATE TRIGGER audit_members_are_deleted_by_pruning_alone BEFORE DELETE ON audit_members FOR EACH ROW
EXECUTE FUNCTION audit_member_goes();
CREATE TRIGGER audit_members_are_never_updated BEFORE UPDATE ON audit_members FOR EACH ROW
EXECUTE FUNCTION refuse_change('the place of an audit event is never updated');
CREATE TRIGGER audit_members_are_never_truncated BEFORE TRUNCATE ON audit_members FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('the place of an audit event is never deleted');
CREATE TRIGGER audit_batches_are_never_updated BEFORE UPDATE ON audit_batches FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit batch is never updated');
CREATE TRIGGER audit_batches_are_never_deleted BEFORE DELETE ON audit_batches FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit batch is never deleted');
CREATE TRIGGER audit_batches_are_never_truncated BEFORE TRUNCATE ON audit_batches FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('an audit batch is never deleted');
CREATE TRIGGER audit_keys_are_never_updated BEFORE UPDATE ON audit_keys FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit key is never updated');
CREATE TRIGGER audit_keys_are_never_deleted BEFORE DELETE ON audit_keys FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit key is never deleted');
CREATE TRIGGER audit_keys_are_never_truncated BEFORE TRUNCATE ON audit_keys FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('an audit key is never deleted');
CREATE TRIGGER audit_prunes_are_never_updated BEFORE UPDATE ON audit_prunes FOR EACH ROW
EXECUTE FUNCTION refuse_change('a prune record is never updated');
CREATE TRIGGER audit_prunes_are_never_deleted BEFORE DELETE ON audit_prunes FOR EACH ROW
EXECUTE FUNCTION refuse_change('a prune record is never deleted');
CREATE TRIGGER audit_prunes_are_never_truncated BEFORE TRUNCATE ON audit_prunes FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('a prune record is never deleted');
