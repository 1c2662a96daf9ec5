-- Passwords and client keys: what some accounts have beside their passkeys, or before them.

SET LOCAL lock_timeout = '2s';

CREATE TABLE passwords (
    account_id   uuid    NOT NULL CONSTRAINT passwords_account PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    hash         text    NOT NULL CHECK (char_length(hash) BETWEEN 1 AND 256),
    -- Algorithm and work, the beginning of the hash: so that those in use can be told without reading all.
    kind         text    COLLATE "C" NOT NULL CHECK (char_length(kind) BETWEEN 1 AND 64),
    with_passkey boolean NOT NULL,
    changed_at   bigint  NOT NULL
);

CREATE INDEX passwords_by_kind ON passwords (kind);

CREATE TABLE client_keys (
    account_id   uuid   NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    -- Keyed hash of the key; the key itself is nowhere.
    mac          bytea  NOT NULL CHECK (octet_length(mac) = 32),
    created_at   bigint NOT NULL,
    last_used_at bigint
);

-- Whether the passkey was registered as a security key whose PIN is always asked for.
ALTER TABLE credentials ADD COLUMN pin boolean NOT NULL DEFAULT false;
