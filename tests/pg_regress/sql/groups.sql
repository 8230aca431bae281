-- Groups: TVIEWs that are refreshed in one transaction, and whether TVIEWs show the same moment. Nobody refreshes here but drain.
SET client_min_messages = warning;
CREATE SCHEMA groups;
SET search_path = groups, public;
\pset format unaligned
\pset tuples_only on

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post SELECT i, 1 + i % 2, 'post ' || i FROM generate_series(1, 6) i;
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT pk_post, fk_user, title FROM tb_post');
SELECT pg_tviews_create('card', 'SELECT u.pk_user AS pk_card, u.name, (SELECT count(*) FROM tv_post p WHERE p.fk_user = u.pk_user) AS posts FROM tb_user u');
SELECT pg_tviews_create('other', 'SELECT pk_user AS pk_other, name FROM tb_user');

CREATE FUNCTION error_in_full(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint   text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- Names.
SELECT error_in_full($$UPDATE pg_tview_meta SET refresh_group = ' ' WHERE entity_name = 'post' AND view_schema = 'groups'$$);
SELECT error_in_full($$UPDATE pg_tview_meta SET refresh_group = repeat('x', 64) WHERE entity_name = 'post' AND view_schema = 'groups'$$);
SELECT error_in_full($$UPDATE pg_tview_meta SET refresh_group = E'a\nb' WHERE entity_name = 'post' AND view_schema = 'groups'$$);
SELECT error_in_full($$SELECT pg_tviews_consistent('{user,nothing}')$$);
SELECT error_in_full($$SELECT pg_tviews_consistent('{user,NULL}')$$);
SELECT error_in_full($$SELECT pg_tviews_consistent(array_fill('user'::text, '{1001}'))$$);
SELECT pg_tviews_consistent('{}'), pg_tviews_consistent(NULL);
SELECT count(refresh_group) FROM pg_tview_meta WHERE view_schema = 'groups';

UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name IN ('user', 'card') AND view_schema = 'groups';
SELECT entity_name, refresh_group FROM pg_tview_meta WHERE view_schema = 'groups' ORDER BY 1;
SELECT entity_name, operation, details - 'role' FROM pg_tview_meta_audit
 WHERE operation = 'configure' AND tview_oid IN ('tv_user'::regclass, 'tv_card'::regclass) ORDER BY 1;

-- Other owners.
CREATE ROLE regress_groups_owner;
CREATE ROLE regress_groups_reader;
GRANT USAGE, CREATE ON SCHEMA groups TO regress_groups_owner;
GRANT USAGE ON SCHEMA groups TO regress_groups_reader;
GRANT SELECT ON tb_user TO regress_groups_owner;
SET ROLE regress_groups_owner;
SELECT error_in_full($$UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'other' AND view_schema = 'groups'$$);
CREATE TABLE tb_mine (pk_mine int PRIMARY KEY);
SELECT pg_tviews_create('mine', 'SELECT pk_mine FROM tb_mine');
SELECT error_in_full($$UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'mine' AND view_schema = 'groups'$$);
UPDATE pg_tview_meta SET refresh_group = 'mine' WHERE entity_name = 'mine' AND view_schema = 'groups';
SELECT entity_name, refresh_group, consistent FROM pg_tview_status;
SET ROLE regress_groups_reader;
SELECT error_in_full($$SELECT pg_tviews_consistent('{user}')$$);
RESET ROLE;
GRANT SELECT ON tv_user, tv_card TO regress_groups_reader;
SET ROLE regress_groups_reader;
SELECT pg_tviews_consistent('{user,card}');
SELECT count(*) FROM pg_tview_status;
RESET ROLE;

-- Applied together: the members, and the TVIEW that feeds one of them.
CREATE VIEW newest AS
SELECT a.entity_name, a.changes_read, a.keys_refreshed, a.rows_updated, dense_rank() OVER (ORDER BY a.position::text) AS position
  FROM (SELECT DISTINCT ON (entity_name) * FROM pg_tview_meta_audit
         WHERE tview_oid IN ('tv_user'::regclass, 'tv_card'::regclass, 'tv_post'::regclass) AND operation = 'refresh'
         ORDER BY entity_name, audit_id DESC) a
 ORDER BY 1;
UPDATE tb_user SET name = 'Anna' WHERE pk_user = 1;
INSERT INTO tb_post VALUES (7, 1, 'post 7');
-- None of it is in any of them.
SELECT pg_tviews_consistent('{user,card}'), pg_tviews_consistent('{user,card,post,other}');
CALL pg_tviews_drain('user');
TABLE newest;
SELECT same('v_user', 'tv_user'), same('v_card', 'tv_card'), same('v_post', 'tv_post'), same('v_other', 'tv_other');
SELECT pg_tviews_consistent('{user,card}'), pg_tviews_consistent('{user,other}');
SELECT entity_name, refresh_group, consistent, group_latency_p50_ms > 0 AS measured FROM pg_tview_status
 WHERE tview_oid IN ('tv_user'::regclass, 'tv_card'::regclass, 'tv_post'::regclass, 'tv_other'::regclass) ORDER BY 1;
CALL pg_tviews_drain();
SELECT pg_tviews_consistent('{user,card,post,other}');
SELECT count(*) FROM pg_tview_queue WHERE source_oid::text LIKE 'tv_%';

-- One of them paused.
SELECT pg_tviews_pause('user');
UPDATE tb_user SET name = 'Bobby' WHERE pk_user = 2;
CALL pg_tviews_drain();
SELECT pg_tviews_consistent('{user,card}'), pg_tviews_consistent('{card,post}'), same('v_card', 'tv_card'), same('v_user', 'tv_user');
SELECT pg_tviews_resume('user');
CALL pg_tviews_drain();
SELECT pg_tviews_consistent('{user,card}'), same('v_user', 'tv_user');

-- A query that an earlier snapshot belongs to.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_tviews_consistent('{user,card}');
COMMIT;

-- Own changes are shown, and rows that were shown are not one moment with others until the next refresh.
BEGIN;
UPDATE tb_user SET name = 'Zoe' WHERE pk_user = 1;
SELECT name FROM tv_user WHERE pk_user = 1;
SELECT name FROM tv_card WHERE pk_card = 1;
COMMIT;
SELECT pg_tviews_consistent('{user,card}');
CALL pg_tviews_drain();
SELECT pg_tviews_consistent('{user,card}'), same('v_user', 'tv_user'), same('v_card', 'tv_card');

-- The feed has the rows of all in one transaction.
UPDATE pg_tview_meta SET feed = true WHERE view_schema = 'groups' AND refresh_group = 'shop';
UPDATE tb_user SET name = 'Yara' WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT count(DISTINCT xid), string_agg(entity_name || ' ' || operation || ' ' || keys::text, ', ' ORDER BY entity_name)
  FROM pg_tview_change WHERE operation <> 'EVERYTHING' AND tview_oid IN ('tv_user'::regclass, 'tv_card'::regclass);

-- All rows at once.
TRUNCATE tb_post;
UPDATE tb_user SET name = name || '.';
CALL pg_tviews_drain();
TABLE newest;
SELECT same('v_user', 'tv_user'), same('v_card', 'tv_card'), same('v_post', 'tv_post'), pg_tviews_consistent('{user,card,post}');

-- Defined again, and out of the group.
SELECT pg_tviews_create('user', 'SELECT pk_user, upper(name) AS name FROM tb_user');
CALL pg_tviews_drain();
SELECT refresh_group FROM pg_tview_meta WHERE tview_oid = 'tv_user'::regclass;
SELECT same('v_user', 'tv_user'), pg_tviews_consistent('{user,card,post}');
UPDATE pg_tview_meta SET refresh_group = NULL WHERE tview_oid = 'tv_user'::regclass;
SELECT entity_name, refresh_group, consistent FROM pg_tview_status WHERE tview_oid IN ('tv_user'::regclass, 'tv_card'::regclass) ORDER BY 1;

-- The time that is spent on one of them is not that of the others, although all end together.
CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.2); RETURN n; END';
CREATE TABLE tb_timed (pk_timed int PRIMARY KEY);
SELECT pg_tviews_create('early', 'SELECT pk_timed AS pk_early, groups.slow(pk_timed) AS n FROM tb_timed');
SELECT pg_tviews_create('late', 'SELECT pk_early AS pk_late, groups.slow(n) AS n FROM tv_early');
UPDATE pg_tview_meta SET refresh_group = 'timed' WHERE tview_oid IN ('tv_early'::regclass, 'tv_late'::regclass);
CALL pg_tviews_drain();
INSERT INTO tb_timed VALUES (1);
CALL pg_tviews_drain('late');
SELECT count(*), count(DISTINCT a.position::text) AS positions,
       (SELECT sum(seconds) FROM pg_tviews_cost() WHERE source IN ('tb_timed'::regclass, 'tv_early'::regclass))
       BETWEEN 0.4 AND extract(epoch FROM max(a.finished_at) - min(a.started_at)) AS adds_up
  FROM pg_tview_meta_audit a
 WHERE a.tview_oid IN ('tv_early'::regclass, 'tv_late'::regclass) AND a.operation = 'refresh';

DROP SCHEMA groups CASCADE;
DROP OWNED BY regress_groups_owner, regress_groups_reader;
DROP ROLE regress_groups_owner, regress_groups_reader;
