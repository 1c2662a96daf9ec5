-- Administrators, who did what to whom, and the links by which an account's owner is let in again.

ALTER TABLE accounts ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1));

CREATE INDEX accounts_admins ON accounts (id) WHERE is_admin = 1;
CREATE INDEX IF NOT EXISTS accounts_by_birth ON accounts (created_at, id);

-- Who did it, where that was not the account's own owner: an account's id, or command_line.
ALTER TABLE audit_events ADD COLUMN actor TEXT CHECK (length(actor) BETWEEN 1 AND 64);

-- Why an account is locked.
CREATE TABLE account_locks (
    account_id BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    reason     TEXT    NOT NULL CHECK (length(reason) BETWEEN 1 AND 256),
    locked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One link per account; a new one takes the place of the one before.
CREATE TABLE enrolments (
    account_id BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    token_hash BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX enrolments_by_expiry ON enrolments (expires_at);
