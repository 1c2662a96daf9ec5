-- What was mailed for a claim counts for its address for a day, also when the claim is proven, dropped, moved to another
-- address, or gone with its account: else whoever moves on could have mailed without end.
SET LOCAL lock_timeout = '2s';

CREATE TABLE past_claim_mails (
    -- As in address_claims.
    address_hash bytea  NOT NULL CHECK (octet_length(address_hash) = 32),
    mails        bigint NOT NULL CHECK (mails BETWEEN 1 AND 4294967295),
    mailed_at    bigint NOT NULL
);

CREATE INDEX past_claim_mails_by_address ON past_claim_mails (address_hash, mailed_at, mails);
CREATE INDEX past_claim_mails_by_time ON past_claim_mails (mailed_at);

CREATE FUNCTION keep_claim_mails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO past_claim_mails (address_hash, mails, mailed_at)
    VALUES (OLD.address_hash, OLD.mails, OLD.mailed_at);
    RETURN NULL;
END
$$;

CREATE TRIGGER address_claims_dropped AFTER DELETE ON address_claims
FOR EACH ROW WHEN (OLD.mails > 0) EXECUTE FUNCTION keep_claim_mails();

CREATE TRIGGER address_claims_moved AFTER UPDATE OF address_hash ON address_claims
FOR EACH ROW WHEN (OLD.mails > 0 AND OLD.address_hash <> NEW.address_hash) EXECUTE FUNCTION keep_claim_mails();
