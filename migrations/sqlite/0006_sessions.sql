-- What a passkey's attestation proves of its key, why a passkey is out of use, and what else its registration said.

ALTER TABLE credentials ADD COLUMN attestation_hardware INTEGER NOT NULL DEFAULT 0
    CHECK (attestation_hardware IN (0, 1));

-- Only of a passkey that is out of use.
ALTER TABLE credentials ADD COLUMN inactive_reason TEXT
    CHECK (inactive_reason IN ('clone_revoked', 'clone_suspended') AND active = 0 OR inactive_reason IS NULL);

ALTER TABLE credentials ADD COLUMN traits TEXT NOT NULL DEFAULT '{}'
    CHECK (json_valid(traits) AND json_type(traits) = 'object');
