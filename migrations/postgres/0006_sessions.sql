-- What a passkey's attestation proves of its key, why a passkey is out of use, and what else its registration said.

SET LOCAL lock_timeout = '2s';

CREATE DOMAIN inactive_reason AS text CHECK (VALUE IN ('clone_revoked', 'clone_suspended'));
CREATE DOMAIN json_object AS json CHECK (json_typeof(VALUE) = 'object');

ALTER TABLE credentials
    ADD COLUMN attestation_hardware boolean NOT NULL DEFAULT false,
    ADD COLUMN inactive_reason inactive_reason,
    ADD COLUMN traits json_object NOT NULL DEFAULT '{}';

-- Not a CHECK of the table, which every login would pay for.
CREATE TRIGGER credentials_reason_is_of_the_inactive BEFORE INSERT OR UPDATE OF active, inactive_reason ON credentials
FOR EACH ROW WHEN (NEW.active AND NEW.inactive_reason IS NOT NULL)
EXECUTE FUNCTION refuse_change('only a passkey that is out of use has a reason for it');
