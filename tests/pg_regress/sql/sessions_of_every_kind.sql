-- Changes by a role without rights on the extension, as a replica, under an empty search_path, in every
-- isolation level, with READ ONLY set late, by a security definer, and under row security.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA sessions_of_every_kind;
SET search_path = sessions_of_every_kind, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
CREATE VIEW v_user AS SELECT pk_user, name FROM tb_user;
SELECT pg_tviews_create('user');
DROP ROLE IF EXISTS regress_tviews_writer;
CREATE ROLE regress_tviews_writer;
GRANT USAGE ON SCHEMA sessions_of_every_kind TO regress_tviews_writer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON tb_user TO regress_tviews_writer;
ALTER TABLE tb_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON tb_user TO regress_tviews_writer USING (pk_user <> 1);

SELECT command FROM run_case('user',
    $$SET LOCAL ROLE regress_tviews_writer; UPDATE tb_user SET name = name || ' by writer'; RESET ROLE$$,
    $$SET LOCAL ROLE regress_tviews_writer; INSERT INTO tb_user VALUES (3, 'kept in role')$$,
    $$RESET ROLE; SET LOCAL session_replication_role = replica; UPDATE tb_user SET name = name || ' by replica'; SET LOCAL session_replication_role = origin$$,
    $$SET LOCAL search_path = ''; UPDATE sessions_of_every_kind.tb_user SET name = name || ' no path'; SET LOCAL search_path = sessions_of_every_kind, public$$,
    $$SET LOCAL search_path = pg_catalog; DELETE FROM sessions_of_every_kind.tb_user WHERE pk_user = 2; SET LOCAL search_path = sessions_of_every_kind, public$$,
    $$INSERT INTO tb_user VALUES (4, 'late'); SET LOCAL row_security = off; SET LOCAL statement_timeout = '10s'$$,
    $$SET LOCAL ROLE regress_tviews_writer; TRUNCATE tb_user; RESET ROLE$$,
    $$INSERT INTO tb_user VALUES (5, 'last'); SET TRANSACTION READ ONLY$$)
\gexec
SELECT pg_tviews_create('user');
BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE tb_user SET name = 'rr'; COMMIT;
CALL pg_tviews_drain();
SELECT judge('repeatable read', 'user', NULL);
BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE tb_user SET name = 'ser'; COMMIT;
CALL pg_tviews_drain();
SELECT judge('serializable', 'user', NULL);
DO $$ BEGIN PERFORM pg_tviews_drop('user'); END $$;
SELECT judge_dropped();
DROP OWNED BY regress_tviews_writer;
DROP ROLE regress_tviews_writer;

DROP SCHEMA sessions_of_every_kind CASCADE;
