-- Room for personal texts that are encrypted (docs/privacy.md).
--
-- An encrypted text is longer than what it says. A username or an address is looked up by its key: the beginning of an
-- encrypted one, else all of it. What is here already is encrypted by the first server that starts, before it serves.

ALTER TABLE accounts RENAME COLUMN username TO username_key;
ALTER TABLE accounts ADD COLUMN username TEXT NOT NULL DEFAULT '' CHECK (length(username) <= 2048);
ALTER TABLE accounts RENAME COLUMN email TO email_key;
ALTER TABLE accounts ADD COLUMN email TEXT CHECK (length(email) BETWEEN 3 AND 2048);
ALTER TABLE accounts RENAME COLUMN display_name TO display_name_before;
ALTER TABLE accounts ADD COLUMN display_name TEXT NOT NULL DEFAULT '' CHECK (length(display_name) <= 2048);
UPDATE accounts SET username = username_key, email = email_key, display_name = display_name_before;
ALTER TABLE accounts DROP COLUMN display_name_before;

-- What ALTER TABLE cannot say of a column that it adds: a text in the clear is as it had to be before, an encrypted one has
-- a body, and the key is its text's.
CREATE TRIGGER accounts_texts_when_inserted BEFORE INSERT ON accounts
WHEN (
    CASE unicode(NEW.username)
        WHEN 1 THEN length(NEW.username) > 49 AND NEW.username_key = substr(NEW.username, 1, 49)
        ELSE length(NEW.username) BETWEEN 1 AND 50 AND NEW.username_key = NEW.username
    END
    AND CASE unicode(NEW.display_name)
        WHEN 1 THEN length(NEW.display_name) > 1
        ELSE length(NEW.display_name) BETWEEN 1 AND 64
    END
    AND CASE
        WHEN NEW.email IS NULL THEN NEW.email_key IS NULL
        WHEN unicode(NEW.email) = 1 THEN length(NEW.email) > 49 AND NEW.email_key = substr(NEW.email, 1, 49)
        ELSE length(NEW.email) BETWEEN 3 AND 255 AND NEW.email_key = NEW.email
    END
) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'a text of an account has its length, and its own key');
END;

CREATE TRIGGER accounts_texts_when_updated
BEFORE UPDATE OF username, username_key, display_name, email, email_key ON accounts
WHEN (
    CASE unicode(NEW.username)
        WHEN 1 THEN length(NEW.username) > 49 AND NEW.username_key = substr(NEW.username, 1, 49)
        ELSE length(NEW.username) BETWEEN 1 AND 50 AND NEW.username_key = NEW.username
    END
    AND CASE unicode(NEW.display_name)
        WHEN 1 THEN length(NEW.display_name) > 1
        ELSE length(NEW.display_name) BETWEEN 1 AND 64
    END
    AND CASE
        WHEN NEW.email IS NULL THEN NEW.email_key IS NULL
        WHEN unicode(NEW.email) = 1 THEN length(NEW.email) > 49 AND NEW.email_key = substr(NEW.email, 1, 49)
        ELSE length(NEW.email) BETWEEN 3 AND 255 AND NEW.email_key = NEW.email
    END
) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'a text of an account has its length, and its own key');
END;

-- Nothing refers to it: it is made anew.
CREATE TABLE address_claims_new (
    account_id       BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    address          TEXT    NOT NULL CHECK (
        CASE unicode(address)
            WHEN 1 THEN length(address) BETWEEN 50 AND 2048
            ELSE length(address) BETWEEN 3 AND 254
        END
    ),
    -- Keyed, upper and lower case alike: claims of one address are counted by it.
    address_hash     BLOB    NOT NULL CHECK (length(address_hash) = 32),
    token_hash       BLOB    NOT NULL CHECK (length(token_hash) = 32),
    token_expires_at INTEGER NOT NULL,
    mails            INTEGER NOT NULL CHECK (mails BETWEEN 0 AND 4294967295),
    mailed_at        INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
) STRICT;

INSERT INTO address_claims_new (account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at,
    expires_at)
SELECT account_id, address, address_hash, token_hash, token_expires_at, mails, mailed_at, expires_at
FROM address_claims;

DROP TABLE address_claims;
ALTER TABLE address_claims_new RENAME TO address_claims;

CREATE INDEX address_claims_by_address ON address_claims (address_hash, mailed_at, mails);
CREATE INDEX address_claims_by_expiry ON address_claims (expires_at);

ALTER TABLE credentials RENAME COLUMN device_name TO device_name_before;
ALTER TABLE credentials ADD COLUMN device_name TEXT NOT NULL DEFAULT '' CHECK (length(device_name) <= 2048);
ALTER TABLE credentials RENAME COLUMN user_agent TO user_agent_before;
ALTER TABLE credentials ADD COLUMN user_agent TEXT CHECK (
    CASE unicode(user_agent) WHEN 1 THEN length(user_agent) BETWEEN 2 AND 2048 ELSE length(user_agent) <= 256 END
);
UPDATE credentials SET device_name = device_name_before, user_agent = user_agent_before;
ALTER TABLE credentials DROP COLUMN device_name_before;
ALTER TABLE credentials DROP COLUMN user_agent_before;

CREATE TRIGGER credentials_name_when_inserted BEFORE INSERT ON credentials
WHEN CASE unicode(NEW.device_name)
    WHEN 1 THEN length(NEW.device_name) > 1
    ELSE length(NEW.device_name) BETWEEN 1 AND 64
END IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'the name of a passkey has its length');
END;

CREATE TRIGGER credentials_name_when_updated BEFORE UPDATE OF device_name ON credentials
WHEN CASE unicode(NEW.device_name)
    WHEN 1 THEN length(NEW.device_name) > 1
    ELSE length(NEW.device_name) BETWEEN 1 AND 64
END IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'the name of a passkey has its length');
END;

ALTER TABLE sessions RENAME COLUMN ip TO ip_before;
ALTER TABLE sessions ADD COLUMN ip TEXT CHECK (
    CASE unicode(ip) WHEN 1 THEN length(ip) BETWEEN 2 AND 2048 ELSE length(ip) <= 64 END
);
ALTER TABLE sessions RENAME COLUMN user_agent TO user_agent_before;
ALTER TABLE sessions ADD COLUMN user_agent TEXT CHECK (
    CASE unicode(user_agent) WHEN 1 THEN length(user_agent) BETWEEN 2 AND 2048 ELSE length(user_agent) <= 256 END
);
UPDATE sessions SET ip = ip_before, user_agent = user_agent_before;
ALTER TABLE sessions DROP COLUMN ip_before;
ALTER TABLE sessions DROP COLUMN user_agent_before;

-- Whether nothing of before is left that is not encrypted.
CREATE TABLE encryption_state (
    one           INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    all_encrypted INTEGER NOT NULL CHECK (all_encrypted IN (0, 1))
) STRICT;

INSERT INTO encryption_state (all_encrypted) VALUES (0);

-- The keys that texts may be encrypted under; each holds the key of look-ups, encrypted under it.
CREATE TABLE encryption_keys (
    id              BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 4),
    wrapped_lookups BLOB NOT NULL CHECK (length(wrapped_lookups) BETWEEN 1 AND 256)
) STRICT, WITHOUT ROWID;

-- Versions before this one would show what is encrypted, and find nobody by name.
UPDATE schema_compatibility SET oldest = 11;
