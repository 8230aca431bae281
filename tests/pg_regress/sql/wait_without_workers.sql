-- With nobody draining, pg_tviews_wait is an error rather than an endless wait, unless there is nothing to wait for.
SET client_min_messages = warning;
CREATE SCHEMA wait_without_workers;
SET search_path = wait_without_workers, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
SELECT pg_tviews_create('user', 'SELECT pk_user, name FROM tb_user');
CALL pg_tviews_drain();
SELECT error_of($$SELECT pg_tviews_wait('nobody')$$);
INSERT INTO tb_user VALUES (1, 'pending');
SELECT error_of($$SELECT pg_tviews_wait('user')$$);
SELECT error_of($$SELECT pg_tviews_wait()$$);
CALL pg_tviews_drain();
SELECT pg_tviews_wait('user');
SELECT pg_tviews_pause('user');
SELECT error_of($$SELECT pg_tviews_wait('user', '1 second')$$);
SELECT pg_tviews_resume('user');
SELECT error_of($$SELECT pg_tviews_wait('user', '-1 second')$$);

DROP SCHEMA wait_without_workers CASCADE;
