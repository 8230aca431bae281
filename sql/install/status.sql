-- Functions, operators and types are those of pg_catalog, whatever other schemas offer: what is made here keeps what it finds.
SET LOCAL search_path = pg_catalog, pg_temp;

-- One row per TVIEW the reader owns; all of them for members of pg_monitor. A function, because the planner takes the statement in
-- it for so expensive that it compiles it, which takes a hundred times as long as to run it.
CREATE VIEW @extschema@.pg_tview_status AS
SELECT * FROM @extschema@.pg_tviews_status();

-- As CREATE EXTENSION has it.
SET LOCAL search_path = @extschema@, pg_temp;
