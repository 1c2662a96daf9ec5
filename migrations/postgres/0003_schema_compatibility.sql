-- Which versions may work with this schema.
--
-- While one release replaces another, processes of both run on one schema: that of the newer one. A process may run where
-- the newest step it knows is at least `oldest`. A step that the release before can live with (a new table, a new column
-- that may be left out) leaves it alone; one that takes something away sets it to the first step whose release no longer
-- needed that.

CREATE TABLE schema_compatibility (
    one    boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    oldest bigint  NOT NULL
);

INSERT INTO schema_compatibility (oldest) VALUES (3);
