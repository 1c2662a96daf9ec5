-- Mails that wait to be sent.
--
-- Written by the commit they follow from, dropped when they are handed over. No foreign key: a mail that says that an
-- account is gone outlives it.
CREATE TABLE outbox (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id BLOB             CHECK (length(account_id) = 16),
    sealed     BLOB    NOT NULL CHECK (length(sealed) BETWEEN 1 AND 65536),
    created_at INTEGER NOT NULL,
    -- To be sent from this moment on; while somebody holds it, the end of the lease.
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 4294967295)
) STRICT;

CREATE INDEX outbox_by_due ON outbox (due_at, id);
CREATE INDEX outbox_by_age ON outbox (created_at);
