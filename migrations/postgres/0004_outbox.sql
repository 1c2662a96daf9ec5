-- Mails that wait to be sent.
--
-- Written by the commit they follow from, dropped when they are handed over. No foreign key: a mail that says that an
-- account is gone outlives it. Small and busy: cleaned often.
CREATE TABLE outbox (
    id         uuid    NOT NULL CONSTRAINT outbox_id PRIMARY KEY,
    account_id uuid,
    sealed     bytea   NOT NULL CHECK (octet_length(sealed) BETWEEN 1 AND 65536),
    created_at bigint  NOT NULL,
    -- To be sent from this moment on; while somebody holds it, the end of the lease.
    due_at     bigint  NOT NULL,
    attempts   bigint  NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 4294967295)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE INDEX outbox_by_due ON outbox (due_at, id);
CREATE INDEX outbox_by_age ON outbox (created_at);
