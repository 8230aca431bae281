-- DDL that changes what a view returns is pending until it is followed: pg_tviews_wait says so, also where nobody drains.
SET client_min_messages = warning;
CREATE SCHEMA ddl_is_waited_for;
SET search_path = ddl_is_waited_for, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, secret boolean NOT NULL DEFAULT false);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
CREATE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT upper(t)';
CREATE FUNCTION louder(t text) RETURNS text IMMUTABLE LANGUAGE sql RETURN shout(t) || '!';
CREATE VIEW names AS SELECT pk_user, louder(name) AS name FROM tb_user;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM names');
SELECT pg_tviews_create('plain', 'SELECT pk_user AS id, secret FROM tb_user');
CREATE TABLE tb_event (pk_event int, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE tb_event_old PARTITION OF tb_event FOR VALUES FROM ('2000-01-01') TO ('2010-01-01');
CREATE TABLE tb_event_new PARTITION OF tb_event FOR VALUES FROM ('2010-01-01') TO ('2020-01-01') PARTITION BY RANGE (day);
CREATE TABLE tb_event_new_1 PARTITION OF tb_event_new FOR VALUES FROM ('2010-01-01') TO ('2015-01-01');
CREATE TABLE tb_event_new_2 PARTITION OF tb_event_new FOR VALUES FROM ('2015-01-01') TO ('2020-01-01');
INSERT INTO tb_event VALUES (1, '2005-01-01'), (2, '2012-01-01'), (3, '2016-01-01');
CREATE TABLE tb_city (pk_city int, name text);
CREATE TABLE tb_capital (state text) INHERITS (tb_city);
INSERT INTO tb_city VALUES (1, 'Ulm');
INSERT INTO tb_capital VALUES (2, 'Rome', 'Italy');
SELECT pg_tviews_create('event', 'SELECT pk_event, day FROM tb_event', key_columns => '{pk_event}');
SELECT pg_tviews_create('city', 'SELECT pk_city, name FROM tb_city', key_columns => '{pk_city}');
CALL pg_tviews_drain();
SELECT count(*) FROM pg_tview_queue;

-- Which TVIEWs are waited for after a command, and what the drain makes of it.
CREATE FUNCTION waited_for() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name   text;
    behind text[];
BEGIN
    FOREACH name IN ARRAY '{city,event,plain,user}'::text[] LOOP
        BEGIN
            PERFORM pg_tviews_wait(name);
        EXCEPTION WHEN object_not_in_prerequisite_state THEN
            behind := behind || name;
        END;
    END LOOP;
    RETURN coalesce(array_to_string(behind, ' '), 'none');
END $$;
CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM pg_tviews_check('user')) + (SELECT count(*) FROM pg_tviews_check('event'))
         + (SELECT count(*) FROM pg_tviews_check('city')) + (SELECT count(*) FROM pg_tviews_check('plain'))$$;
SELECT $$SELECT waited_for(), differences()$$ AS look, $$CALL pg_tviews_drain(); SELECT waited_for() AS after, differences()$$ AS drain \gset
:look;
-- A view below the backing view, the backing view itself, a function, and one that another function calls.
CREATE OR REPLACE VIEW names AS SELECT pk_user, lower(louder(name)) AS name FROM tb_user;
:look; :drain;
CREATE OR REPLACE VIEW v_user AS SELECT pk_user, 'the ' || name AS name FROM names;
:look; :drain;
CREATE OR REPLACE FUNCTION louder(t text) RETURNS text IMMUTABLE LANGUAGE sql RETURN shout(t) || '!!';
:look; :drain;
CREATE OR REPLACE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t || t';
:look; :drain;
TABLE tv_user ORDER BY 1;
-- A column that the view has and the table gets.
ALTER TABLE tv_plain ADD COLUMN name text;
CREATE OR REPLACE VIEW v_plain AS SELECT pk_user AS id, secret, name FROM tb_user;
:look; :drain;
-- The backing view dropped: suspended. And made again.
DROP VIEW v_plain;
SELECT waited_for();
CALL pg_tviews_drain();
SELECT error_of($$SELECT pg_tviews_wait('plain')$$);
CREATE VIEW v_plain AS SELECT pk_user AS id, secret, name || '?' AS name FROM tb_user;
SELECT waited_for();
:drain;
ALTER VIEW v_plain RENAME TO v_other;
SELECT waited_for();
ALTER VIEW v_other RENAME TO v_plain;
:drain;
-- Partitions and children dropped, with what is in them.
DROP TABLE tb_event_old;
:look; :drain;
DROP TABLE tb_event_new_1;
:look; :drain;
DROP TABLE tb_event_new;
:look; :drain;
DROP TABLE tb_capital;
:look; :drain;
-- Several commands in one transaction; rolled back, and by a savepoint.
BEGIN;
CREATE OR REPLACE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t';
CREATE OR REPLACE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t';
SELECT operation, keys FROM pg_tview_queue WHERE source_oid = 'tv_user'::regclass;
-- DDL of its own is not committed: nothing to wait for.
SELECT pg_tviews_wait('city'), pg_tviews_wait('user'), pg_tviews_wait('user', 1);
ROLLBACK;
SELECT waited_for();
BEGIN;
SAVEPOINT s;
CREATE OR REPLACE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''undone'' || t';
ROLLBACK TO s;
CREATE OR REPLACE FUNCTION shout(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''done'' || t';
COMMIT;
:look; :drain;
-- What concerns no TVIEW, or changes nothing, leaves none behind.
CREATE TABLE other (a int);
CREATE VIEW others AS SELECT a FROM other;
CREATE OR REPLACE FUNCTION unrelated() RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP VIEW others;
DROP TABLE other;
SELECT waited_for(), count(*) FROM pg_tview_queue;
-- pg_tviews_create looks by itself, and has those look that read its view.
SELECT pg_tviews_create('shown', 'SELECT id, name FROM v_plain');
SELECT pg_tviews_create('plain', 'SELECT pk_user AS id, secret, ''new '' || name AS name FROM tb_user');
SELECT waited_for(), error_of($$SELECT pg_tviews_wait('shown')$$);
CALL pg_tviews_drain();
SELECT pg_tviews_wait('shown'), same('v_shown', 'tv_shown'), count(*) FROM pg_tview_queue;

DROP SCHEMA ddl_is_waited_for CASCADE;
