-- The tokens of a session that were replaced shortly before its previous one: requests under way with them are let in for as
-- long as those with the previous one. Newest first, each its hash (64 hexadecimal digits) and when it was replaced (16).
ALTER TABLE sessions ADD COLUMN earlier_tokens TEXT NOT NULL DEFAULT '' CHECK (
    length(earlier_tokens) <= 2560 AND length(earlier_tokens) % 80 = 0 AND earlier_tokens NOT GLOB '*[^0-9a-f]*'
);
