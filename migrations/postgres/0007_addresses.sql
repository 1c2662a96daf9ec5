-- Addresses that accounts claim and have not proven yet.
SET LOCAL lock_timeout = '2s';

CREATE TABLE address_claims (
    account_id       uuid   NOT NULL CONSTRAINT address_claims_account PRIMARY KEY
        REFERENCES accounts (id) ON DELETE CASCADE,
    address          text   COLLATE "C" NOT NULL CHECK (char_length(address) BETWEEN 3 AND 254),
    -- Keyed, upper and lower case alike: claims of one address are counted by it.
    address_hash     bytea  NOT NULL CHECK (octet_length(address_hash) = 32),
    token_hash       bytea  NOT NULL CHECK (octet_length(token_hash) = 32),
    token_expires_at bigint NOT NULL,
    mails            bigint NOT NULL CHECK (mails BETWEEN 0 AND 4294967295),
    mailed_at        bigint NOT NULL,
    expires_at       bigint NOT NULL
);

CREATE INDEX address_claims_by_address ON address_claims (address_hash, mailed_at, mails);
CREATE INDEX address_claims_by_expiry ON address_claims (expires_at);
