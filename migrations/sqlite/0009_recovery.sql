-- Recoveries that were asked for, and the recovery codes of accounts.
CREATE TABLE recoveries (
    id_hash         BLOB    NOT NULL PRIMARY KEY CHECK (length(id_hash) = 32),
    -- None: nobody has the address. It is counted alike, and leads nowhere.
    account_id      BLOB             REFERENCES accounts (id) ON DELETE CASCADE,
    address_hash    BLOB    NOT NULL CHECK (length(address_hash) = 32),
    browser_hash    BLOB             CHECK (length(browser_hash) = 32),
    code_hash       BLOB    NOT NULL CHECK (length(code_hash) = 32),
    tries           INTEGER NOT NULL CHECK (tries BETWEEN 0 AND 4294967295),
    created_at      INTEGER NOT NULL,
    code_expires_at INTEGER NOT NULL,
    stage           TEXT    NOT NULL CHECK (stage IN ('asked', 'ended', 'waiting')),
    ready_at        INTEGER,
    cancel_hash     BLOB             UNIQUE CHECK (length(cancel_hash) = 32),
    code_tries      INTEGER NOT NULL DEFAULT 0 CHECK (code_tries BETWEEN 0 AND 4294967295),
    expires_at      INTEGER NOT NULL,
    CHECK (stage <> 'waiting' OR ready_at IS NOT NULL AND cancel_hash IS NOT NULL AND account_id IS NOT NULL)
) STRICT;

CREATE INDEX recoveries_by_address ON recoveries (address_hash, created_at);
CREATE INDEX recoveries_by_birth ON recoveries (created_at, tries, stage);
CREATE INDEX recoveries_by_expiry ON recoveries (expires_at);
CREATE INDEX recoveries_of_account ON recoveries (account_id) WHERE account_id IS NOT NULL;

CREATE TABLE recovery_codes (
    account_id BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- Keyed, the account included.
    code_hash  BLOB NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (account_id, code_hash)
) STRICT, WITHOUT ROWID;
