-- Recoveries that were asked for, and the recovery codes of accounts.
SET LOCAL lock_timeout = '2s';

CREATE TABLE recoveries (
    id_hash         bytea  NOT NULL CONSTRAINT recoveries_id PRIMARY KEY CHECK (octet_length(id_hash) = 32),
    -- None: nobody has the address. It is counted alike, and leads nowhere.
    account_id      uuid            REFERENCES accounts (id) ON DELETE CASCADE,
    address_hash    bytea  NOT NULL CHECK (octet_length(address_hash) = 32),
    browser_hash    bytea           CHECK (octet_length(browser_hash) = 32),
    code_hash       bytea  NOT NULL CHECK (octet_length(code_hash) = 32),
    tries           bigint NOT NULL CHECK (tries BETWEEN 0 AND 4294967295),
    created_at      bigint NOT NULL,
    code_expires_at bigint NOT NULL,
    stage           text   NOT NULL CHECK (stage IN ('asked', 'ended', 'waiting')),
    ready_at        bigint,
    cancel_hash     bytea  CONSTRAINT recoveries_cancel UNIQUE CHECK (octet_length(cancel_hash) = 32),
    code_tries      bigint NOT NULL DEFAULT 0 CHECK (code_tries BETWEEN 0 AND 4294967295),
    expires_at      bigint NOT NULL,
    CHECK (stage <> 'waiting' OR ready_at IS NOT NULL AND cancel_hash IS NOT NULL AND account_id IS NOT NULL)
);

CREATE INDEX recoveries_by_address ON recoveries (address_hash, created_at);
CREATE INDEX recoveries_by_birth ON recoveries (created_at, tries, stage);
CREATE INDEX recoveries_by_expiry ON recoveries (expires_at);
CREATE INDEX recoveries_of_account ON recoveries (account_id) WHERE account_id IS NOT NULL;

CREATE TABLE recovery_codes (
    account_id uuid  NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- Keyed, the account included.
    code_hash  bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    PRIMARY KEY (account_id, code_hash)
);
