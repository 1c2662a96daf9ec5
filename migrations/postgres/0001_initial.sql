-- Keyhaven on PostgreSQL (15 or later): the first schema.
--
-- Times are milliseconds since 1970, exactly as the records (and the MACs over audit events) have them. What the records
-- in keyhaven-storage call impossible is refused here too, so that no other writer can store it either. Texts that are
-- looked up compare by code points (COLLATE "C"), whatever the locale of the database or a later version of its library.

-- What one value can be is said by its domain, and looked at when the value is written. A CHECK of the table would be
-- looked at, and its text parsed, for every row that is written, whichever columns the statement has touched: that was
-- nearly half of what a login cost here. The table checks what takes two columns.
CREATE DOMAIN attestation_type AS text
    CHECK (VALUE IN ('none', 'self', 'basic', 'attca', 'anonca', 'uncertain'));
CREATE DOMAIN audit_outcome AS text CHECK (VALUE IN ('refused', 'success'));
CREATE DOMAIN authenticator_assurance AS smallint CHECK (VALUE BETWEEN 1 AND 3);
CREATE DOMAIN code AS text CHECK (char_length(VALUE) <= 128);
CREATE DOMAIN cose_key AS bytea CHECK (octet_length(VALUE) BETWEEN 1 AND 16384);
CREATE DOMAIN credential_id AS bytea CHECK (octet_length(VALUE) BETWEEN 1 AND 1023);
CREATE DOMAIN email AS text COLLATE "C" CHECK (char_length(VALUE) BETWEEN 3 AND 255);
CREATE DOMAIN hash AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN identifier AS text COLLATE "C" CHECK (char_length(VALUE) BETWEEN 1 AND 64);
CREATE DOMAIN ip AS text CHECK (char_length(VALUE) <= 64);
-- Not jsonb, and not an array of texts: clients assert these, and json alone takes every text that JSON can say.
CREATE DOMAIN json_array AS json CHECK (json_typeof(VALUE) = 'array');
CREATE DOMAIN label AS text CHECK (char_length(VALUE) BETWEEN 1 AND 64);
CREATE DOMAIN request_id AS text CHECK (char_length(VALUE) <= 256);
CREATE DOMAIN rp_id AS text CHECK (char_length(VALUE) BETWEEN 1 AND 253);
CREATE DOMAIN short_identifier AS text CHECK (char_length(VALUE) BETWEEN 1 AND 32);
CREATE DOMAIN sign_count AS bigint CHECK (VALUE BETWEEN 0 AND 4294967295);
CREATE DOMAIN user_agent AS text CHECK (char_length(VALUE) <= 256);
CREATE DOMAIN user_handle AS bytea CHECK (octet_length(VALUE) BETWEEN 1 AND 64);
CREATE DOMAIN username AS text COLLATE "C" CHECK (char_length(VALUE) BETWEEN 1 AND 50);

CREATE TABLE accounts (
    id             uuid        NOT NULL PRIMARY KEY,
    user_handle    user_handle NOT NULL CONSTRAINT accounts_user_handle UNIQUE,
    username       username    NOT NULL CONSTRAINT accounts_username UNIQUE,
    display_name   label       NOT NULL,
    email          email,
    email_verified boolean     NOT NULL,
    has_passkey    boolean     NOT NULL DEFAULT false, -- kept by the triggers below, whatever is written
    active         boolean     NOT NULL,
    created_at     bigint      NOT NULL,
    updated_at     bigint      NOT NULL,
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
    credential_id       credential_id    NOT NULL CONSTRAINT credentials_credential_id PRIMARY KEY,
    account_id          uuid             NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    rp_id               rp_id            NOT NULL,
    public_key          cose_key         NOT NULL,
    algorithm           bigint           NOT NULL,
    sign_count          sign_count       NOT NULL,
    aaguid              uuid             NOT NULL,
    transports          json_array       NOT NULL,
    backup_eligible     boolean          NOT NULL,
    backup_state        boolean          NOT NULL,
    uv_initialized      boolean          NOT NULL,
    attestation_format  short_identifier NOT NULL,
    attestation_type    attestation_type NOT NULL,
    attestation_trusted boolean          NOT NULL,
    device_name         label            NOT NULL,
    user_agent          user_agent,
    created_at          bigint           NOT NULL,
    last_used_at        bigint,
    active              boolean          NOT NULL,
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
    id                  uuid                    NOT NULL PRIMARY KEY,
    account_id          uuid                    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- A token is a part that never changes and a part that each rotation draws anew; each is stored as a hash.
    token_family_hash   hash                    NOT NULL CONSTRAINT sessions_token_family UNIQUE,
    token_hash          hash                    NOT NULL,
    previous_token_hash hash,
    rotated_at          bigint,
    created_at          bigint                  NOT NULL,
    last_seen_at        bigint                  NOT NULL,
    expires_at          bigint                  NOT NULL,
    authenticated_at    bigint                  NOT NULL,
    aal                 authenticator_assurance NOT NULL,
    amr                 json_array              NOT NULL,
    credential_id       credential_id,
    user_agent          user_agent,
    ip                  ip,
    CHECK ((previous_token_hash IS NULL) = (rotated_at IS NULL)),
    -- A session is opened by a credential of its own account, and outlives it.
    CONSTRAINT sessions_credential FOREIGN KEY (credential_id, account_id)
        REFERENCES credentials (credential_id, account_id) ON DELETE SET NULL (credential_id)
);

-- Serves the sessions of a credential too: it is always named with its account, which has few.
CREATE INDEX sessions_of_account ON sessions (account_id, created_at, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE step_up_grants (
    session_id uuid       NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    purpose    identifier NOT NULL,
    expires_at bigint     NOT NULL,
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
    id            uuid          NOT NULL CONSTRAINT audit_events_id PRIMARY KEY,
    at            bigint        NOT NULL,
    action        identifier    NOT NULL,
    outcome       audit_outcome NOT NULL,
    code          code,
    step          code,
    account_id    uuid,
    credential_id credential_id,
    session_id    uuid,
    ip            ip,
    user_agent    user_agent,
    request_id    request_id,
    mac           hash          NOT NULL
);

CREATE INDEX audit_events_of_account ON audit_events (account_id, at, id) WHERE account_id IS NOT NULL;

CREATE TRIGGER audit_events_are_never_updated BEFORE UPDATE ON audit_events FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit event is never updated');
CREATE TRIGGER audit_events_are_never_deleted BEFORE DELETE ON audit_events FOR EACH ROW
EXECUTE FUNCTION refuse_change('an audit event is never deleted');
CREATE TRIGGER audit_events_are_never_truncated BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT
EXECUTE FUNCTION refuse_change('an audit event is never deleted');
