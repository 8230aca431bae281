-- Rows of a plain UPDATE are captured without calling the trigger; of all else, the trigger is called.
SET client_min_messages = warning;
CREATE SCHEMA capture_without_queue;
SET search_path = capture_without_queue, public;
-- Not analysed meanwhile: a session learns again after that what the trigger captures.
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL) WITH (autovacuum_enabled = off);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, title text NOT NULL, seen int NOT NULL DEFAULT 0) WITH (autovacuum_enabled = off);
INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 5) n;
INSERT INTO tb_post SELECT n, 1 + n % 5, 'post ' || n FROM generate_series(1, 3000) n;
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.fk_user, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
CREATE FUNCTION calls() RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname = 'pg_tviews_capture' $$;
-- How often a statement calls the trigger function.
CREATE FUNCTION calls_of(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE before bigint := calls(); BEGIN EXECUTE statement; RETURN calls() - before; END $$;
CREATE FUNCTION done(OUT source regclass, OUT operation text, OUT keys jsonb) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT source_oid, operation, keys FROM pg_tview_queue
     WHERE operation <> 'REFRESH' ORDER BY xid, source_oid::text $$;
SET track_functions = 'all';

-- The first one of a session calls it, and is where the session learns what the trigger captures.
SELECT calls_of($$UPDATE tb_post SET title = 'first' WHERE pk_post = 1$$);
SELECT calls_of($$UPDATE tb_user SET name = 'first' WHERE pk_user = 1$$);
CALL pg_tviews_drain();
SELECT calls_of($$UPDATE tb_post SET title = 'second' WHERE pk_post = 2$$); BEGIN; UPDATE tb_post SET title = 'third' WHERE pk_post = 2; SELECT title FROM tv_post WHERE pk_post = 2; COMMIT;
SELECT calls_of($$UPDATE tb_post SET fk_user = 5, pk_post = 9003 WHERE pk_post = 3$$);
SELECT calls_of($$UPDATE tb_post SET seen = 1, title = title$$);
SELECT calls_of($$UPDATE tb_user SET name = 'two' FROM tb_post WHERE pk_user = fk_user AND pk_user < 3$$);
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- More keys than are kept: the trigger captures the rest.
SELECT calls_of($$UPDATE tb_post SET title = 'all' WHERE pk_post > 3$$) BETWEEN 1 AND 2900;
SELECT source, jsonb_array_length(keys), (SELECT count(DISTINCT key) FROM jsonb_array_elements(keys) key) FROM done();
CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- Statements that fail, and savepoints.
SELECT error_of('UPDATE tb_post SET pk_post = 9 WHERE pk_post = 10');
BEGIN; SAVEPOINT s; UPDATE tb_post SET title = 'undone' WHERE pk_post = 11; ROLLBACK TO s;
SELECT error_of('UPDATE tb_post SET title = title || 1 / (13 - pk_post) WHERE pk_post IN (12, 13)');
UPDATE tb_post SET title = 'kept' WHERE pk_post = 14; COMMIT;
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- An UPDATE whose functions update and read.
CREATE FUNCTION rename(author int) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN UPDATE tb_user SET name = 'renamed ' || author WHERE pk_user = author; RETURN (SELECT max(title) FROM tv_post WHERE pk_post = 21); END $$;
CREATE FUNCTION shown() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT title FROM tv_post WHERE pk_post = 21); END $$;
BEGIN;
SELECT calls() AS before \gset
UPDATE tb_post SET title = 'read ' || shown() WHERE pk_post IN (21, 22);
SELECT title FROM tv_post WHERE pk_post IN (21, 22);
UPDATE tb_post SET title = rename(fk_user) || '!' WHERE pk_post IN (21, 22, 23) RETURNING title;
SELECT title, name FROM tv_post WHERE pk_post IN (21, 22, 23) ORDER BY pk_post; SELECT calls() - :before;
COMMIT;
SELECT source, operation, keys FROM done() WHERE operation = 'UPDATE'; CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- Prepared; through a view with a check option; explained; by a cursor; in a function.
PREPARE change AS UPDATE tb_post SET title = 'prepared' WHERE pk_post = $1;
BEGIN; SELECT calls() AS before \gset
EXECUTE change(31); EXECUTE change(32); SELECT calls() - :before; COMMIT;
CREATE VIEW v_low AS SELECT * FROM tb_post WHERE pk_post < 100 WITH CHECK OPTION;
SELECT calls_of($$UPDATE v_low SET title = 'checked' WHERE pk_post = 33$$);
SELECT error_of('UPDATE v_low SET pk_post = 9999 WHERE pk_post = 34');
SELECT calls_of($$EXPLAIN (ANALYZE) UPDATE tb_post SET title = 'explained' WHERE pk_post = 35$$);
BEGIN; DECLARE c CURSOR FOR SELECT * FROM tb_post WHERE pk_post = 36 FOR UPDATE; MOVE c; SELECT calls_of($$UPDATE tb_post SET title = 'cursor' WHERE CURRENT OF c$$); COMMIT;
SELECT calls_of($$WITH changed AS (UPDATE tb_post SET title = 'with' WHERE pk_post = 37 RETURNING pk_post) SELECT * FROM changed$$);
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- Other triggers of the table: those after rows still fire, and what those before rows change is captured.
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '% % %', TG_NAME, OLD.title, NEW.title; RETURN NEW; END $$;
CREATE TRIGGER z_after AFTER UPDATE ON tb_post FOR EACH ROW EXECUTE FUNCTION log();
UPDATE tb_post SET title = 'again' WHERE pk_post = 41;
SELECT calls_of($$UPDATE tb_post SET title = 'after' WHERE pk_post = 41$$);
CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.pk_post := NEW.pk_post + 10000; RETURN NEW; END $$;
CREATE TRIGGER z_before BEFORE UPDATE ON tb_post FOR EACH ROW EXECUTE FUNCTION shift();
UPDATE tb_post SET title = 'again' WHERE pk_post = 42;
SELECT calls_of($$UPDATE tb_post SET seen = 2 WHERE pk_post = 43$$);
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');
DROP TRIGGER z_before ON tb_post; DROP TRIGGER z_after ON tb_post;

-- A trigger that does not capture.
UPDATE tb_post SET title = 'again' WHERE pk_post = 51;
BEGIN; ALTER TABLE tb_post DISABLE TRIGGER USER; SELECT calls_of($$UPDATE tb_post SET title = 'nobody sees' WHERE pk_post = 52$$); ROLLBACK;
BEGIN; SET LOCAL pg_tviews.capture = off; SELECT calls_of($$UPDATE tb_post SET title = 'all rows' WHERE pk_post = 53$$); COMMIT;
BEGIN; SET LOCAL session_replication_role = replica; SELECT calls_of($$UPDATE tb_post SET title = 'replica' WHERE pk_post = 54$$); COMMIT;
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

-- Row-level security has check options of its own.
CREATE ROLE regress_tviews_writer;
GRANT USAGE ON SCHEMA capture_without_queue TO regress_tviews_writer;
GRANT SELECT, UPDATE ON tb_post TO regress_tviews_writer;
ALTER TABLE tb_post ENABLE ROW LEVEL SECURITY;
CREATE POLICY low ON tb_post USING (pk_post < 70) WITH CHECK (true);
UPDATE tb_post SET title = 'owner' WHERE pk_post = 61;
SET ROLE regress_tviews_writer;
SELECT calls_of($$UPDATE tb_post SET title = 'writer' WHERE pk_post = 62$$);
UPDATE tb_post SET title = 'writer' WHERE pk_post IN (63, 73);
RESET ROLE;
SELECT calls_of($$UPDATE tb_post SET title = 'owner' WHERE pk_post = 64$$);
SELECT source, operation, keys FROM done(); CALL pg_tviews_drain(); SELECT * FROM pg_tviews_check('post');

SELECT pg_tviews_drop('post');
DROP SCHEMA capture_without_queue CASCADE;
DROP ROLE regress_tviews_writer;
