-- CALL pg_tviews_drain() by name, in a procedure that is free to commit, and where it is not.
SET client_min_messages = warning;
CREATE SCHEMA drain_in_procedures;
SET search_path = drain_in_procedures, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
SELECT pg_tviews_create('shout', 'SELECT pk_user AS id, upper(name) AS name FROM tb_user');
INSERT INTO tb_user VALUES (1, 'Ann');
CALL pg_tviews_drain('user');
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout');
CALL pg_tviews_drain('tv_shout');
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout'), (SELECT count(*) FROM pg_tview_queue);
CREATE PROCEDURE maintain() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tb_user VALUES (2, 'committed first');
    COMMIT;
    CALL pg_tviews_drain();
    INSERT INTO tb_user VALUES (3, 'after');
END $$;
CALL maintain();
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout');
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout');
-- With changes of its own not yet committed.
CREATE PROCEDURE eager() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tb_user VALUES (4, 'not committed');
    CALL pg_tviews_drain();
END $$;
CALL eager();
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout');
-- Not in a transaction block, a function or a DO block inside one.
BEGIN;
INSERT INTO tb_user VALUES (5, 'x');
CALL pg_tviews_drain();
ROLLBACK;
CREATE FUNCTION drain() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL pg_tviews_drain(); END';
SELECT drain();
CALL pg_tviews_drain();
SELECT same('v_user', 'tv_user'), same('v_shout', 'tv_shout'), (SELECT count(*) FROM tv_user);

DROP SCHEMA drain_in_procedures CASCADE;
