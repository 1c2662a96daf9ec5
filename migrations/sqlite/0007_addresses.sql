-- Addresses that accounts claim and have not proven yet.
CREATE TABLE address_claims (
    account_id       BLOB    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    address          TEXT    NOT NULL CHECK (length(address) BETWEEN 3 AND 254),
    -- Keyed, upper and lower case alike: claims of one address are counted by it.
    address_hash     BLOB    NOT NULL CHECK (length(address_hash) = 32),
    token_hash       BLOB    NOT NULL CHECK (length(token_hash) = 32),
    token_expires_at INTEGER NOT NULL,
    mails            INTEGER NOT NULL CHECK (mails BETWEEN 0 AND 4294967295),
    mailed_at        INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX address_claims_by_address ON address_claims (address_hash, mailed_at, mails);
CREATE INDEX address_claims_by_expiry ON address_claims (expires_at);
