-- Room for personal texts that are encrypted (docs/privacy.md).
--
-- An encrypted text is longer than what it says. A username or an address is looked up by its key: the beginning of an
-- encrypted one, else all of it. What is here already is encrypted by the first server that starts, before it serves.

SET LOCAL lock_timeout = '2s';

CREATE DOMAIN personal_text AS text COLLATE "C" CHECK (char_length(VALUE) BETWEEN 1 AND 2048);
CREATE DOMAIN personal_header AS text CHECK (char_length(VALUE) <= 2048);

CREATE FUNCTION lookup_key(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN ascii($1) = 1 THEN left($1, 49) ELSE $1 END
$$;

DROP INDEX accounts_verified_email;
ALTER TABLE accounts DROP CONSTRAINT accounts_username;
ALTER TABLE accounts
    ALTER COLUMN username TYPE personal_text,
    ALTER COLUMN display_name TYPE personal_text,
    ALTER COLUMN email TYPE personal_text;
CREATE UNIQUE INDEX accounts_username ON accounts (lookup_key(username));
CREATE UNIQUE INDEX accounts_verified_email ON accounts (lower(lookup_key(email))) WHERE email_verified;

ALTER TABLE address_claims
    DROP CONSTRAINT address_claims_address_check,
    ALTER COLUMN address TYPE personal_text;
ALTER TABLE credentials
    ALTER COLUMN device_name TYPE personal_text,
    ALTER COLUMN user_agent TYPE personal_header;
ALTER TABLE sessions
    ALTER COLUMN ip TYPE personal_header,
    ALTER COLUMN user_agent TYPE personal_header;

-- Whether nothing of before is left that is not encrypted.
CREATE TABLE encryption_state (
    one           boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    all_encrypted boolean NOT NULL
);

INSERT INTO encryption_state (all_encrypted) VALUES (false);

-- Versions before this one would show what is encrypted, and find nobody by name.
UPDATE schema_compatibility SET oldest = 11;
