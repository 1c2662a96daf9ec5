-- Deleting accounts, and what events hold of people.
SET LOCAL lock_timeout = '2s';

-- A deleted account's mails go with it.
CREATE INDEX outbox_of_account ON outbox (account_id) WHERE account_id IS NOT NULL;

-- Address, user agent and request id of an event, encrypted so that they are gone with the account. Not of a domain: with
-- one the whole table would be written anew.
ALTER TABLE audit_events ADD COLUMN personal bytea;
