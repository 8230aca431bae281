-- pg_tviews_bulk_load: all rows of a table count as changed once, and its rows are not captured one by one.
SET client_min_messages = warning;
CREATE SCHEMA bulk_load;
SET search_path = bulk_load, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Ben');
INSERT INTO tb_post VALUES (1, 1, 'first');
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
CREATE VIEW pending AS SELECT source_oid, operation, keys FROM pg_tview_queue ORDER BY xid, source_oid::text, operation;
-- The triggers that a statement fires.
CREATE FUNCTION fired(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || statement LOOP
        IF line LIKE 'Trigger%' THEN RETURN NEXT regexp_replace(line, '_\d+', '_N', 'g'); END IF;
    END LOOP;
END $$;

SELECT fired('INSERT INTO tb_user VALUES (3, ''Cat'')');
CALL pg_tviews_drain();
BEGIN;
SELECT pg_tviews_bulk_load('tb_user');
SELECT fired('INSERT INTO tb_user VALUES (4, ''Dan'')');
SELECT fired('UPDATE tb_user SET name = ''Ben II'' WHERE pk_user = 2');
SELECT fired('DELETE FROM tb_user WHERE pk_user = 3');
COPY tb_user FROM STDIN;
10	Zoe
11	Yan
\.
-- Another source of the same transaction is captured as ever, and its foreign key is checked.
SELECT fired('INSERT INTO tb_post VALUES (2, 10, ''second'')');
COMMIT;
TABLE pending;
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
SELECT count(*) FROM tv_user;

-- The next transaction captures row by row again, also after an error.
UPDATE tb_user SET name = 'Ann II' WHERE pk_user = 1;
TABLE pending; CALL pg_tviews_drain();
BEGIN; SELECT pg_tviews_bulk_load('tb_user'); INSERT INTO tb_user VALUES (5, 'Eve'); SELECT 1 / 0; ROLLBACK;
UPDATE tb_user SET name = 'Ann III' WHERE pk_user = 1;
TABLE pending; CALL pg_tviews_drain();
BEGIN; SELECT pg_tviews_bulk_load('tb_user'); COMMIT AND CHAIN;
UPDATE tb_user SET name = 'Ann IV' WHERE pk_user = 1;
COMMIT;
TABLE pending; CALL pg_tviews_drain();

-- What was changed before the call is captured, with and without it.
BEGIN;
UPDATE tb_user SET name = 'before' WHERE pk_user = 1;
SAVEPOINT s;
SELECT pg_tviews_bulk_load('tb_user');
UPDATE tb_user SET name = 'undone' WHERE pk_user = 2;
ROLLBACK TO s;
UPDATE tb_user SET name = 'after' WHERE pk_user = 10;
SELECT fired('UPDATE tb_user SET name = ''after'' WHERE pk_user = 11');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
-- Released, and deeper savepoints rolled back after it: the call still counts.
BEGIN;
SAVEPOINT s;
SELECT pg_tviews_bulk_load('tb_user');
RELEASE s;
SAVEPOINT t;
SELECT fired('UPDATE tb_user SET name = ''undone'' WHERE pk_user = 1');
ROLLBACK TO t;
SELECT fired('UPDATE tb_user SET name = ''kept'' WHERE pk_user = 2');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
-- A statement that fails inside a block with an exception handler.
DO $$
BEGIN
    PERFORM pg_tviews_bulk_load('tb_user');
    BEGIN
        INSERT INTO tb_user SELECT i, 'no' FROM generate_series(100, 0, -1) i;
    EXCEPTION WHEN unique_violation THEN NULL;
    END;
    INSERT INTO tb_user VALUES (20, 'in a block');
END $$;
TABLE pending; CALL pg_tviews_drain();
DO $$
BEGIN
    BEGIN
        PERFORM pg_tviews_bulk_load('tb_user');
        INSERT INTO tb_user VALUES (21, 'no');
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    INSERT INTO tb_user VALUES (22, 'captured');
END $$;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
-- Called inside of a statement that writes the table.
CREATE FUNCTION begin_load() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_tviews_bulk_load('tb_user');
    INSERT INTO tb_user VALUES (31, 'inside');
    RETURN 30;
END $$;
BEGIN;
INSERT INTO tb_user VALUES (begin_load(), 'outside'), (32, 'outside');
SELECT fired('INSERT INTO tb_user VALUES (33, ''later'')');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), count(*) FROM tv_user;
-- Called again and again, by a trigger for example: what follows does not become slower and slower.
SET statement_timeout = '2min';
DO $$
BEGIN
    FOR i IN 1..2000 LOOP
        PERFORM pg_tviews_bulk_load('tb_user');
        UPDATE tb_user SET name = i WHERE pk_user = 1;
    END LOOP;
END $$;
RESET statement_timeout;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
-- Repeated under a savepoint that is rolled back: the earlier call still counts.
BEGIN;
SELECT pg_tviews_bulk_load('tb_user');
SAVEPOINT s;
SELECT pg_tviews_bulk_load('tb_user');
ROLLBACK TO s;
SELECT fired('UPDATE tb_user SET name = ''kept'' WHERE pk_user = 2');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');
-- DDL on the table, in the same transaction.
BEGIN;
SELECT pg_tviews_bulk_load('tb_user');
ALTER TABLE tb_user ADD COLUMN email text;
SELECT fired('INSERT INTO tb_user VALUES (40, ''after DDL'')');
SELECT pg_tviews_create('mail', 'SELECT pk_user AS pk_mail, email FROM tb_user');
UPDATE tb_user SET email = 'x';
COMMIT;
SELECT source_oid, operation FROM pg_tview_queue WHERE keys IS NULL; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_mail', 'tv_mail');
SELECT pg_tviews_drop('mail');
-- Two calls, and TRUNCATE.
BEGIN;
SELECT pg_tviews_bulk_load('tb_user'), pg_tviews_bulk_load('tb_post');
SELECT pg_tviews_bulk_load('tb_user');
TRUNCATE tb_post;
COPY tb_post FROM STDIN;
7	1	seventh
\.
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');

-- Prepared.
BEGIN;
SELECT pg_tviews_bulk_load('tb_user');
INSERT INTO tb_user VALUES (50, 'prepared');
PREPARE TRANSACTION 'regress_bulk_load';
UPDATE tb_user SET name = 'not prepared' WHERE pk_user = 1;
TABLE pending; CALL pg_tviews_drain();
COMMIT PREPARED 'regress_bulk_load';
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_post', 'tv_post');

-- The own transaction: few rows are shown, also those that came after the first look. Of many a NOTICE says so.
BEGIN;
SELECT pg_tviews_bulk_load('tb_post');
INSERT INTO tb_post VALUES (60, 1, 'one');
SELECT count(*) FROM tv_post;
COPY tb_post FROM STDIN;
61	1	two
\.
SELECT count(*) FROM tv_post;
SET LOCAL client_min_messages = notice;
INSERT INTO tb_post SELECT i, 1, 'many' FROM generate_series(1000, 4000) i;
SELECT count(*) FROM tv_post;
ROLLBACK;

-- A net change is unknown then: running aggregates are computed again.
SELECT pg_tviews_create('total', 'SELECT p.fk_user AS pk_total, count(*) AS posts FROM tb_post p GROUP BY p.fk_user');
BEGIN;
SELECT pg_tviews_bulk_load('tb_post');
INSERT INTO tb_post SELECT i, 1, 'many' FROM generate_series(1000, 2000) i;
COMMIT;
CALL pg_tviews_drain();
INSERT INTO tb_post VALUES (3000, 1, 'one more');
CALL pg_tviews_drain();
SELECT same('v_total', 'tv_total'), same('v_post', 'tv_post');

-- Partitions: through the partitioned table, into a partition, and where a view names a partition.
CREATE TABLE tb_event (pk_event int, day int, kind text, PRIMARY KEY (pk_event, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF tb_event FOR VALUES FROM (1) TO (10);
CREATE TABLE event_2 PARTITION OF tb_event FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day);
CREATE TABLE event_2_a (kind text, pk_event int NOT NULL, day int NOT NULL);
ALTER TABLE event_2 ATTACH PARTITION event_2_a FOR VALUES FROM (10) TO (15);
SELECT pg_tviews_create('event', 'SELECT pk_event, day, kind FROM tb_event', key_columns => '{pk_event,day}');
SELECT pg_tviews_create('late', 'SELECT pk_event AS pk_late, kind FROM event_2_a');
CALL pg_tviews_drain();
BEGIN;
SELECT pg_tviews_bulk_load('tb_event');
COPY tb_event FROM STDIN;
1	1	a
2	12	b
\.
SELECT fired('INSERT INTO tb_event VALUES (3, 5, ''c''), (4, 11, ''d'')');
SELECT fired('INSERT INTO event_2_a VALUES (''e'', 5, 13)');
SELECT fired('UPDATE tb_event SET day = 14 WHERE pk_event = 1');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_event', 'tv_event'), same('v_late', 'tv_late');
BEGIN;
SELECT pg_tviews_bulk_load('event_1');
SELECT fired('INSERT INTO event_1 VALUES (6, 6, ''f'')');
SELECT fired('INSERT INTO event_2_a VALUES (''g'', 7, 13)');
COMMIT;
TABLE pending; CALL pg_tviews_drain();
BEGIN;
SELECT pg_tviews_bulk_load('tb_event');
CREATE TABLE event_3 PARTITION OF tb_event FOR VALUES FROM (20) TO (30);
INSERT INTO tb_event VALUES (8, 25, 'h');
COMMIT;
INSERT INTO tb_event VALUES (9, 26, 'i');
SELECT source_oid, operation, keys FROM pg_tview_queue WHERE source_oid = 'tb_event'::regclass ORDER BY xid; CALL pg_tviews_drain();
SELECT same('v_event', 'tv_event'), same('v_late', 'tv_late');
-- Children.
CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, name text);
CREATE TABLE small_thing (size int, PRIMARY KEY (pk_thing)) INHERITS (tb_thing);
SELECT pg_tviews_create('thing', 'SELECT pk_thing, name FROM tb_thing');
BEGIN;
SELECT pg_tviews_bulk_load('tb_thing');
SELECT fired('INSERT INTO tb_thing VALUES (1, ''a'')');
SELECT fired('INSERT INTO small_thing VALUES (2, ''b'', 3)');
COMMIT;
CALL pg_tviews_drain();
SELECT same('v_thing', 'tv_thing'), count(*) FROM tv_thing;

-- Who may, and for what.
SET client_min_messages = notice;
CREATE TABLE unread (id int);
SELECT pg_tviews_bulk_load('unread');
SET client_min_messages = warning;
SELECT error_of($$SELECT pg_tviews_bulk_load(NULL)$$);
SELECT error_of($$SELECT pg_tviews_bulk_load('v_user')$$);
SELECT error_of($$SELECT pg_tviews_bulk_load('tv_user')$$);
SELECT error_of($$SELECT pg_tviews_bulk_load('tb_user_pkey')$$);
SELECT error_of($$SELECT pg_tviews_bulk_load(4000000000)$$);
DROP ROLE IF EXISTS regress_tviews_loader, regress_tviews_member, regress_tviews_other;
CREATE ROLE regress_tviews_loader;
CREATE ROLE regress_tviews_member IN ROLE regress_tviews_loader;
CREATE ROLE regress_tviews_other;
GRANT USAGE ON SCHEMA bulk_load TO regress_tviews_loader, regress_tviews_other;
GRANT ALL ON tb_post TO regress_tviews_other;
ALTER TABLE tb_post OWNER TO regress_tviews_loader;
SET ROLE regress_tviews_other;
SELECT error_of($$SELECT pg_tviews_bulk_load('bulk_load.tb_post')$$);
SET ROLE regress_tviews_member;
BEGIN;
SELECT pg_tviews_bulk_load('tb_post');
UPDATE tb_post SET title = 'by a member' WHERE pk_post = 7;
COMMIT;
BEGIN READ ONLY;
SELECT error_of($$SELECT pg_tviews_bulk_load('tb_post')$$);
ROLLBACK;
RESET ROLE;
TABLE pending; CALL pg_tviews_drain();
SELECT same('v_post', 'tv_post');

DROP SCHEMA bulk_load CASCADE;
DROP ROLE regress_tviews_loader, regress_tviews_member, regress_tviews_other;
