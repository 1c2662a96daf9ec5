-- Keyhaven on SQLite: the first schema.
--
-- Identifiers are blobs of 16 bytes (UUIDs), times are milliseconds since 1970, booleans are 0 or 1. What the records
-- in keyhaven-storage call impossible is refused here too, so that no other writer can store it either.

CREATE TABLE accounts (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_handle    BLOB    NOT NULL UNIQUE CHECK (length(user_handle) BETWEEN 1 AND 64),
    username       TEXT    NOT NULL UNIQUE CHECK (length(username) BETWEEN 1 AND 50),
    display_name   TEXT    NOT NULL CHECK (length(display_name) BETWEEN 1 AND 64),
    email          TEXT             CHECK (length(email) BETWEEN 3 AND 255),
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    has_passkey    INTEGER NOT NULL DEFAULT 0 CHECK (has_passkey IN (0, 1)), -- kept by the triggers below
    active         INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    last_login_at  INTEGER,
    CHECK (email_verified = 0 OR email IS NOT NULL)
) STRICT;

-- An address belongs to whoever proved it; until then anybody may have typed it.
CREATE UNIQUE INDEX accounts_verified_email ON accounts (email COLLATE NOCASE) WHERE email_verified = 1;

CREATE TRIGGER accounts_identity_never_changes
BEFORE UPDATE OF id, user_handle, created_at ON accounts
WHEN NEW.id <> OLD.id OR NEW.user_handle <> OLD.user_handle OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'an account keeps its id, user handle and birth');
END;

CREATE TABLE credentials (
    credential_id       BLOB    NOT NULL PRIMARY KEY CHECK (length(credential_id) BETWEEN 1 AND 1023),
    account_id          BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    rp_id               TEXT    NOT NULL CHECK (length(rp_id) BETWEEN 1 AND 253),
    public_key          BLOB    NOT NULL CHECK (length(public_key) BETWEEN 1 AND 16384),
    algorithm           INTEGER NOT NULL,
    sign_count          INTEGER NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    aaguid              BLOB    NOT NULL CHECK (length(aaguid) = 16),
    transports          TEXT    NOT NULL CHECK (json_valid(transports) AND json_type(transports) = 'array'),
    backup_eligible     INTEGER NOT NULL CHECK (backup_eligible IN (0, 1)),
    backup_state        INTEGER NOT NULL CHECK (backup_state IN (0, 1)),
    uv_initialized      INTEGER NOT NULL CHECK (uv_initialized IN (0, 1)),
    attestation_format  TEXT    NOT NULL CHECK (length(attestation_format) BETWEEN 1 AND 32),
    attestation_type    TEXT    NOT NULL
        CHECK (attestation_type IN ('none', 'self', 'basic', 'attca', 'anonca', 'uncertain')),
    attestation_trusted INTEGER NOT NULL CHECK (attestation_trusted IN (0, 1)),
    device_name         TEXT    NOT NULL CHECK (length(device_name) BETWEEN 1 AND 64),
    user_agent          TEXT             CHECK (length(user_agent) <= 256),
    created_at          INTEGER NOT NULL,
    last_used_at        INTEGER,
    active              INTEGER NOT NULL CHECK (active IN (0, 1)),
    -- WebAuthn L3 §6.1: BE = 0 with BS = 1 does not exist.
    CHECK (backup_eligible = 1 OR backup_state = 0)
) STRICT;

CREATE INDEX credentials_of_account ON credentials (account_id, created_at);

CREATE TRIGGER credentials_key_never_changes
BEFORE UPDATE OF credential_id, account_id, rp_id, public_key, algorithm, aaguid, created_at ON credentials
WHEN NEW.credential_id <> OLD.credential_id OR NEW.account_id <> OLD.account_id OR NEW.rp_id <> OLD.rp_id
    OR NEW.public_key <> OLD.public_key OR NEW.algorithm <> OLD.algorithm OR NEW.aaguid <> OLD.aaguid
    OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'a credential keeps its id, account, RP ID, key, model and birth');
END;

-- accounts.has_passkey is exactly: an active credential exists.
CREATE TRIGGER credentials_inserted AFTER INSERT ON credentials WHEN NEW.active = 1
BEGIN
    UPDATE accounts SET has_passkey = 1 WHERE id = NEW.account_id AND has_passkey = 0;
END;

CREATE TRIGGER credentials_deleted AFTER DELETE ON credentials WHEN OLD.active = 1
BEGIN
    UPDATE accounts SET has_passkey = 0
    WHERE id = OLD.account_id
        AND NOT EXISTS (SELECT 1 FROM credentials WHERE account_id = OLD.account_id AND active = 1);
END;

CREATE TRIGGER credentials_switched AFTER UPDATE OF active ON credentials WHEN NEW.active <> OLD.active
BEGIN
    UPDATE accounts
    SET has_passkey = EXISTS (SELECT 1 FROM credentials WHERE account_id = NEW.account_id AND active = 1)
    WHERE id = NEW.account_id;
END;

CREATE TABLE sessions (
    id                  BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id          BLOB    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- A token is a part that never changes and a part that each rotation draws anew; each is stored as a hash.
    token_family_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_family_hash) = 32),
    token_hash          BLOB    NOT NULL CHECK (length(token_hash) = 32),
    previous_token_hash BLOB             CHECK (length(previous_token_hash) = 32),
    rotated_at          INTEGER,
    created_at          INTEGER NOT NULL,
    last_seen_at        INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    authenticated_at    INTEGER NOT NULL,
    aal                 INTEGER NOT NULL CHECK (aal BETWEEN 1 AND 3),
    amr                 TEXT    NOT NULL CHECK (json_valid(amr) AND json_type(amr) = 'array'),
    credential_id       BLOB             REFERENCES credentials (credential_id) ON DELETE SET NULL,
    user_agent          TEXT             CHECK (length(user_agent) <= 256),
    ip                  TEXT             CHECK (length(ip) <= 64),
    CHECK ((previous_token_hash IS NULL) = (rotated_at IS NULL))
) STRICT;

CREATE INDEX sessions_of_account ON sessions (account_id, created_at);
CREATE INDEX sessions_by_credential ON sessions (credential_id) WHERE credential_id IS NOT NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TRIGGER sessions_credential_is_the_accounts BEFORE INSERT ON sessions WHEN NEW.credential_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a session is opened by a credential of its own account')
    WHERE NOT EXISTS (
        SELECT 1 FROM credentials WHERE credential_id = NEW.credential_id AND account_id = NEW.account_id
    );
END;

CREATE TABLE step_up_grants (
    session_id BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    purpose    TEXT    NOT NULL CHECK (length(purpose) BETWEEN 1 AND 64),
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, purpose)
) STRICT, WITHOUT ROWID;

CREATE INDEX step_up_grants_by_expiry ON step_up_grants (expires_at);

CREATE TABLE signing_keys (
    id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128),
    algorithm          TEXT    NOT NULL CHECK (length(algorithm) BETWEEN 1 AND 32),
    public_jwk         TEXT    NOT NULL CHECK (json_valid(public_jwk)),
    sealed_private_key BLOB    NOT NULL CHECK (length(sealed_private_key) > 0),
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL
) STRICT;

CREATE INDEX signing_keys_by_birth ON signing_keys (created_at);

-- Security events outlive what they speak of: no foreign keys on purpose. Appended, never updated, never deleted.
CREATE TABLE audit_events (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at            INTEGER NOT NULL,
    action        TEXT    NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
    outcome       TEXT    NOT NULL CHECK (outcome IN ('refused', 'success')),
    code          TEXT             CHECK (length(code) <= 128),
    step          TEXT             CHECK (length(step) <= 128),
    account_id    BLOB             CHECK (length(account_id) = 16),
    credential_id BLOB             CHECK (length(credential_id) BETWEEN 1 AND 1023),
    session_id    BLOB             CHECK (length(session_id) = 16),
    ip            TEXT             CHECK (length(ip) <= 64),
    user_agent    TEXT             CHECK (length(user_agent) <= 256),
    request_id    TEXT             CHECK (length(request_id) <= 256),
    mac           BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_events_of_account ON audit_events (account_id, at, id) WHERE account_id IS NOT NULL;

CREATE TRIGGER audit_events_are_never_updated BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is never updated');
END;

CREATE TRIGGER audit_events_are_never_deleted BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'an audit event is never deleted');
END;
