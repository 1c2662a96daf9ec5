-- Room for personal texts that are encrypted (docs/privacy.md).
--
-- An encrypted text is longer than what it says. A username or an address is looked up by its key: the beginning of an
-- encrypted one, else all of it. What is here already is encrypted by the first server that starts, before it serves.

SET LOCAL lock_timeout = '2s';

-- In the clear a text is as it had to be before; an encrypted one begins with U+0001, and has a body.
CREATE DOMAIN stored_username AS text COLLATE "C" CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 50 AND 2048 ELSE char_length(VALUE) BETWEEN 1 AND 50 END
);
CREATE DOMAIN stored_email AS text COLLATE "C" CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 50 AND 2048 ELSE char_length(VALUE) BETWEEN 3 AND 255 END
);
CREATE DOMAIN stored_claim AS text COLLATE "C" CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 50 AND 2048 ELSE char_length(VALUE) BETWEEN 3 AND 254 END
);
CREATE DOMAIN stored_label AS text CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 2 AND 2048 ELSE char_length(VALUE) BETWEEN 1 AND 64 END
);
CREATE DOMAIN stored_ip AS text CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 2 AND 2048 ELSE char_length(VALUE) <= 64 END
);
CREATE DOMAIN stored_user_agent AS text CHECK (
    CASE ascii(VALUE) WHEN 1 THEN char_length(VALUE) BETWEEN 2 AND 2048 ELSE char_length(VALUE) <= 256 END
);

CREATE FUNCTION lookup_key(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN ascii($1) = 1 THEN left($1, 49) ELSE $1 END
$$;

DROP INDEX accounts_verified_email;
ALTER TABLE accounts DROP CONSTRAINT accounts_username;
ALTER TABLE accounts
    ALTER COLUMN username TYPE stored_username,
    ALTER COLUMN display_name TYPE stored_label,
    ALTER COLUMN email TYPE stored_email;
CREATE UNIQUE INDEX accounts_username ON accounts (lookup_key(username));
CREATE UNIQUE INDEX accounts_verified_email ON accounts (lower(lookup_key(email))) WHERE email_verified;

ALTER TABLE address_claims
    DROP CONSTRAINT address_claims_address_check,
    ALTER COLUMN address TYPE stored_claim;
ALTER TABLE credentials
    ALTER COLUMN device_name TYPE stored_label,
    ALTER COLUMN user_agent TYPE stored_user_agent;
ALTER TABLE sessions
    ALTER COLUMN ip TYPE stored_ip,
    ALTER COLUMN user_agent TYPE stored_user_agent;

DROP DOMAIN username, email;

-- Whether nothing of before is left that is not encrypted.
CREATE TABLE encryption_state (
    one           boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    all_encrypted boolean NOT NULL
);

INSERT INTO encryption_state (all_encrypted) VALUES (false);

-- The keys that texts may be encrypted under; each holds the key of look-ups, encrypted under it.
CREATE TABLE encryption_keys (
    id              bytea NOT NULL PRIMARY KEY CHECK (octet_length(id) = 4),
    wrapped_lookups bytea NOT NULL CHECK (octet_length(wrapped_lookups) BETWEEN 1 AND 256)
);

-- Versions before this one would show what is encrypted, and find nobody by name.
UPDATE schema_compatibility SET oldest = 11;
