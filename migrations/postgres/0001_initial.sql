-- Keyhaven on PostgreSQL (15 or later): the first schema.
--
-- Times are milliseconds since 1970, exactly as the records (and the MACs over audit events) have them. What the records
-- in keyhaven-storage call impossible is refused here too, so that no other writer can store it either. Texts that are
-- looked up compare by code points (COLLATE "C"), whatever the locale of the database or a later version of its library.

CREATE TABLE accounts (
    id             uuid    NOT NULL PRIMARY KEY,
    user_handle    bytea   NOT NULL CONSTRAINT accounts_user_handle UNIQUE
        CHECK (octet_length(user_handle) BETWEEN 1 AND 64),
    username       text    COLLATE "C" NOT NULL CONSTRAINT accounts_username UNIQUE
        CHECK (char_length(username) BETWEEN 1 AND 50),
    display_name   text    NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 64),
    email          text    COLLATE "C" CHECK (char_length(email) BETWEEN 3 AND 255),
    email_verified boolean NOT NULL,
    has_passkey    boolean NOT NULL DEFAULT false, -- kept by the triggers below, whatever is written
    active         boolean NOT NULL,
    created_at     bigint  NOT NULL,
    updated_at     bigint  NOT NULL,
    last_login_at  bigint,
    CHECK (NOT email_verified OR email IS NOT NULL)
) WITH (fillfactor = 80); -- room for a login to update a row where it stands

-- An address belongs to whoever proved it; until then anybody may have typed it.
CREATE UNIQUE INDEX accounts_verified_email ON accounts (lower(email)) WHERE email_verified;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_ARGV[0];
END;
$$;

CREATE TRIGGER accounts_identity_never_changes
BEFORE UPDATE OF id, user_handle, created_at ON accounts FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.user_handle <> OLD.user_handle OR NEW.created_at <> OLD.created_at)
EXECUTE FUNCTION refuse_change('an account keeps its id, user handle and birth');

CREATE TABLE credentials (
    credential_id       bytea    NOT NULL CONSTRAINT credentials_credential_id PRIMARY KEY
        CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    account_id          uuid     NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    rp_id               text     NOT NULL CHECK (char_length(rp_id) BETWEEN 1 AND 253),
    public_key          bytea    NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 16384),
    algorithm           bigint   NOT NULL,
    sign_count          bigint   NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    aaguid              uuid     NOT NULL,
    -- Not jsonb, and not an array of texts: clients assert these, and json alone takes every text that JSON can say.
    transports          json     NOT NULL CHECK (json_typeof(transports) = 'array'),
    backup_eligible     boolean  NOT NULL,
    backup_state        boolean  NOT NULL,
    uv_initialized      boolean  NOT NULL,
    attestation_format  text     NOT NULL CHECK (char_length(attestation_format) BETWEEN 1 AND 32),
    attestation_type    text     NOT NULL
        CHECK (attestation_type IN ('none', 'self', 'basic', 'attca', 'anonca', 'uncertain')),
    attestation_trusted boolean  NOT NULL,
    device_name         text     NOT NULL CHECK (char_length(device_name) BETWEEN 1 AND 64),
    user_agent          text              CHECK (char_length(user_agent) <= 256),
    created_at          bigint   NOT NULL,
    last_used_at        bigint,
    active              boolean  NOT NULL,
    -- WebAuthn L3 §6.1: BE = 0 with BS = 1 does not exist.
    CHECK (backup_eligible OR NOT backup_state),
    -- What a session refers to.
    CONSTRAINT credentials_of_their_account UNIQUE (credential_id, account_id)
) WITH (fillfactor = 80);

CREATE INDEX credentials_of_account ON credentials (account_id, created_at, credential_id);

CREATE TRIGGER credentials_key_never_changes
BEFORE UPDATE OF credential_id, account_id, rp_id, public_key, algorithm, aaguid, created_at ON credentials
FOR EACH ROW
WHEN (NEW.credential_id <> OLD.credential_id OR NEW.account_id <> OLD.account_id OR NEW.rp_id <> OLD.rp_id
    OR NEW.public_key <> OLD.public_key OR NEW.algorithm <> OLD.algorithm OR NEW.aaguid <> OLD.aaguid
    OR NEW.created_at <> OLD.created_at)
EXECUTE FUNCTION refuse_change('a credential keeps its id, account, RP ID, key, model and birth');

-- accounts.has_passkey is exactly: an active credential exists.
CREATE FUNCTION tell_has_passkey() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.has_passkey := EXISTS (SELECT FROM credentials WHERE account_id = NEW.id AND active);
    RETURN NEW;
END;
$$;

CREATE TRIGGER accounts_has_passkey_is_told
BEFORE INSERT OR UPDATE OF has_passkey ON accounts FOR EACH ROW
EXECUTE FUNCTION tell_has_passkey();

CREATE FUNCTION credentials_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    concerned uuid := CASE TG_OP WHEN 'DELETE' THEN OLD.account_id ELSE NEW.account_id END;
BEGIN
    -- First the lock, then the look: the second statement sees what those who held the lock before have committed.
    PERFORM FROM accounts WHERE id = concerned FOR NO KEY UPDATE;
    UPDATE accounts SET has_passkey = NOT has_passkey
    WHERE id = concerned
        AND has_passkey <> EXISTS (SELECT FROM credentials WHERE account_id = concerned AND active);
    RETURN NULL;
END;
$$;

CREATE TRIGGER credentials_inserted AFTER INSERT ON credentials FOR EACH ROW WHEN (NEW.active)
EXECUTE FUNCTION credentials_changed();
CREATE TRIGGER credentials_deleted AFTER DELETE ON credentials FOR EACH ROW WHEN (OLD.active)
EXECUTE FUNCTION credentials_changed();
CREATE TRIGGER credentials_switched AFTER UPDATE OF active ON credentials FOR EACH ROW WHEN (NEW.active <> OLD.active)
EXECUTE FUNCTION credentials_changed();

CREATE TABLE sessions (
    id                  uuid     NOT NULL PRIMARY KEY,
    account_id          uuid     NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- A token is a part that never changes and a part that each rotation draws anew; each is stored as a hash.
    token_family_hash   bytea    NOT NULL CONSTRAINT sessions_token_family UNIQUE
        CHECK (octet_length(token_family_hash) = 32),
    token_hash          bytea    NOT NULL CHECK (octet_length(token_hash) = 32),
    previous_token_hash bytea             CHECK (octet_length(previous_token_hash) = 32),
    rotated_at          bigint,
    created_at          bigint   NOT NULL,
    last_seen_at        bigint   NOT NULL,
    expires_at          bigint   NOT NULL,
    authenticated_at    bigint   NOT NULL,
    aal                 smallint NOT NULL CHECK (aal BETWEEN 1 AND 3),
    amr                 json     NOT NULL CHECK (json_typeof(amr) = 'array'),
    credential_id       bytea,
    user_agent          text              CHECK (char_length(user_agent) <= 256),
    ip                  text              CHECK (char_length(ip) <= 64),
    CHECK ((previous_token_hash IS NULL) = (rotated_at IS NULL)),
    -- A session is opened by a credential of its own account, and outlives it.
    CONSTRAINT sessions_credential FOREIGN KEY (credential_id, account_id)
        REFERENCES credentials (credential_id, account_id) ON DELETE SET NULL (credential_id)
);

CREATE INDEX sessions_of_account ON sessions (account_id, created_at, id);
CREATE INDEX sessions_by_credential ON sessions (credential_id, account_id) WHERE credential_id IS NOT NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE step_up_grants (
    session_id uuid   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    purpose    text   COLLATE "C" NOT NULL CHECK (char_length(purpose) BETWEEN 1 AND 64),
    expires_at bigint NOT NULL,
    PRIMARY KEY (session_id, purpose)
);

CREATE INDEX step_up_grants_by_expiry ON step_up_grants (expires_at);

CREATE TABLE signing_keys (
    id                 text   COLLATE "C" NOT NULL PRIMARY KEY CHECK (char_length(id) BETWEEN 1 AND 128),
    algorithm          text   NOT NULL CHECK (char_length(algorithm) BETWEEN 1 AND 32),
    public_jwk         text   NOT NULL CHECK (json_typeof(public_jwk::json) = 'object'),
    sealed_private_key bytea  NOT NULL CHECK (octet_length(sealed_private_key) > 0),
    created_at         bigint NOT NULL,
    expires_at         bigint NOT NULL
);

CREATE INDEX signing_keys_by_birth ON signing_keys (created_at);

-- Security events outlive what they speak of: no foreign keys on purpose. Appended, never updated, never deleted.
CREATE TABLE audit_events (
    id            uuid   NOT NULL CONSTRAINT audit_events_id PRIMARY KEY,
    at            bigint NOT NULL,
    action        text   NOT NULL CHECK (char_length(action) BETWEEN 1 AND 64),
    outcome       text   NOT NULL CHECK (outcome IN ('refused', 'success')),
    code          text            CHECK (char_length(code) <= 128),
    step          text            CHECK (char_length(step) <= 128),
    account_id    uuid,
    credential_id bytea           CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    session_id    uuid,
    ip            text            CHECK (char_length(ip) <= 64),
    user_agent    text            CHECK (char_length(user_agent) <= 256),
    request_id    text            CHECK (char_length(request_id) <= 256),
    mac           bytea  NOT NULL CHECK (octet_length(mac) = 32)
);

CREATE INDEX audit_events_of_account ON audit_events (account_id, at, id) WHERE account_id IS NOT NULL;

CREATE TRIGGER audit_events_are_never_updated BEFORE UPDATE ON audit_events FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit event is never updated');
CREATE TRIGGER audit_events_are_never_deleted BEFORE DELETE ON audit_events FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit event is never deleted');
CREATE TRIGGER audit_events_are_never_truncated BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('an audit event is never deleted');
