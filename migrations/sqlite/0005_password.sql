-- Passwords and client keys: what some accounts have beside their passkeys, or before them.

CREATE TABLE passwords (
    account_id   BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    hash         TEXT    NOT NULL CHECK (length(hash) BETWEEN 1 AND 256),
    -- Algorithm and work, the beginning of the hash: so that those in use can be told without reading all.
    kind         TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    with_passkey INTEGER NOT NULL CHECK (with_passkey IN (0, 1)),
    changed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX passwords_by_kind ON passwords (kind);

CREATE TABLE client_keys (
    account_id   BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    -- Keyed hash of the key; the key itself is nowhere.
    mac          BLOB    NOT NULL CHECK (length(mac) = 32),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Whether the passkey was registered as a security key whose PIN is always asked for.
ALTER TABLE credentials ADD COLUMN pin INTEGER NOT NULL DEFAULT 0 CHECK (pin IN (0, 1));
