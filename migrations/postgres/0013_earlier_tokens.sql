-- The tokens of a session that were replaced shortly before its previous one: requests under way with them are let in for as
-- long as those with the previous one. Newest first, each its hash (64 hexadecimal digits) and when it was replaced (16).
SET LOCAL lock_timeout = '2s';

ALTER TABLE sessions ADD COLUMN earlier_tokens text COLLATE "C" NOT NULL DEFAULT '' CHECK (
    octet_length(earlier_tokens) <= 2560 AND octet_length(earlier_tokens) % 80 = 0 AND earlier_tokens !~ '[^0-9a-f]'
);
