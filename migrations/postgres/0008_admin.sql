-- Administrators, who did what to whom, and the links by which an account's owner is let in again.

SET LOCAL lock_timeout = '2s';

ALTER TABLE accounts ADD COLUMN is_admin boolean NOT NULL DEFAULT false;

CREATE INDEX accounts_admins ON accounts (id) WHERE is_admin;
-- Where there are millions of accounts, made before by hand and CONCURRENTLY: this one keeps sign-ins waiting.
CREATE INDEX IF NOT EXISTS accounts_by_birth ON accounts (created_at, id);

-- Who did it, where that was not the account's own owner: an account's id, or command_line. Not of a domain: with one
-- the whole table would be written anew.
ALTER TABLE audit_events ADD COLUMN actor text;

-- Why an account is locked.
CREATE TABLE account_locks (
    account_id uuid   NOT NULL CONSTRAINT account_locks_account PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    reason     text   NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 256),
    locked_at  bigint NOT NULL
);

-- One link per account; a new one takes the place of the one before.
CREATE TABLE enrolments (
    account_id uuid   NOT NULL CONSTRAINT enrolments_account PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    token_hash bytea  NOT NULL CONSTRAINT enrolments_token UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX enrolments_by_expiry ON enrolments (expires_at);
