-- Deleting accounts, and what events hold of people.

-- A deleted account's mails go with it.
CREATE INDEX outbox_of_account ON outbox (account_id) WHERE account_id IS NOT NULL;

-- Address, user agent and request id of an event, encrypted so that they are gone with the account.
ALTER TABLE audit_events ADD COLUMN personal BLOB CHECK (length(personal) BETWEEN 1 AND 4096);
