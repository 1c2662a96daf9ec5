-- Room for personal texts that are encrypted (docs/privacy.md).
--
-- An encrypted text is longer than what it says. A username or an address is looked up by its key: the beginning of an
-- encrypted one, else all of it. What is here already is encrypted by the first server that starts, before it serves.

ALTER TABLE accounts RENAME COLUMN username TO username_key;
ALTER TABLE accounts ADD COLUMN username TEXT NOT NULL DEFAULT '' CHECK (length(username) <= 2048);
ALTER TABLE accounts RENAME COLUMN email TO email_key;
ALTER TABLE accounts ADD COLUMN email TEXT CHECK (length(email) BETWEEN 3 AND 2048)
    CHECK ((email IS NULL) = (email_key IS NULL));
ALTER TABLE accounts RENAME COLUMN display_name TO display_name_before;
ALTER TABLE accounts ADD COLUMN display_name TEXT NOT NULL DEFAULT '' CHECK (length(display_name) <= 2048);
UPDATE accounts SET username = username_key, email = email_key, display_name = display_name_before;
ALTER TABLE accounts DROP COLUMN display_name_before;

ALTER TABLE address_claims RENAME COLUMN address TO address_before;
ALTER TABLE address_claims ADD COLUMN address TEXT NOT NULL DEFAULT '' CHECK (length(address) <= 2048);
UPDATE address_claims SET address = address_before;
ALTER TABLE address_claims DROP COLUMN address_before;

ALTER TABLE credentials RENAME COLUMN device_name TO device_name_before;
ALTER TABLE credentials ADD COLUMN device_name TEXT NOT NULL DEFAULT '' CHECK (length(device_name) <= 2048);
ALTER TABLE credentials RENAME COLUMN user_agent TO user_agent_before;
ALTER TABLE credentials ADD COLUMN user_agent TEXT CHECK (length(user_agent) <= 2048);
UPDATE credentials SET device_name = device_name_before, user_agent = user_agent_before;
ALTER TABLE credentials DROP COLUMN device_name_before;
ALTER TABLE credentials DROP COLUMN user_agent_before;

ALTER TABLE sessions RENAME COLUMN ip TO ip_before;
ALTER TABLE sessions ADD COLUMN ip TEXT CHECK (length(ip) <= 2048);
ALTER TABLE sessions RENAME COLUMN user_agent TO user_agent_before;
ALTER TABLE sessions ADD COLUMN user_agent TEXT CHECK (length(user_agent) <= 2048);
UPDATE sessions SET ip = ip_before, user_agent = user_agent_before;
ALTER TABLE sessions DROP COLUMN ip_before;
ALTER TABLE sessions DROP COLUMN user_agent_before;

-- Whether nothing of before is left that is not encrypted.
CREATE TABLE encryption_state (
    one           INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    all_encrypted INTEGER NOT NULL CHECK (all_encrypted IN (0, 1))
) STRICT;

INSERT INTO encryption_state (all_encrypted) VALUES (0);

-- Versions before this one would show what is encrypted, and find nobody by name.
UPDATE schema_compatibility SET oldest = 11;
