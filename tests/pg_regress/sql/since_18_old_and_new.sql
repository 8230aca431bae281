-- OLD and NEW in RETURNING: of sources, in CTEs, of tv tables (refused as any write).
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_18_old_and_new;
SET search_path = since_18_old_and_new, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, visits int DEFAULT 0);
CREATE TABLE tb_log (pk_log int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fk_user int, was text, is_now text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
CREATE VIEW v_user AS SELECT u.pk_user, u.name, u.visits, (SELECT count(*) FROM tb_log l WHERE l.fk_user = u.pk_user) AS changes FROM tb_user u;
SELECT pg_tviews_create('user');

UPDATE tb_user SET name = 'Anna' WHERE pk_user = 1 RETURNING old.name, new.name, old.xmax::text <> new.xmax::text;
INSERT INTO tb_user VALUES (2, 'Bert'), (3, 'Cid') ON CONFLICT (pk_user) DO UPDATE SET name = excluded.name RETURNING old.pk_user, old.name, new.name;
DELETE FROM tb_user WHERE pk_user = 3 RETURNING old.*, new.*;
WITH changed AS (UPDATE tb_user SET visits = visits + 1 RETURNING old AS before, new AS after)
INSERT INTO tb_log (fk_user, was, is_now) SELECT (after).pk_user, (before).visits, (after).visits FROM changed RETURNING WITH (OLD AS o, NEW AS n) o.fk_user, n.fk_user;
MERGE INTO tb_user u USING (VALUES (1, 'Anja'), (4, 'Dot')) s (id, name) ON u.pk_user = s.id
 WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)
RETURNING merge_action(), old.name, new.name;
SELECT error_of($$UPDATE tv_user SET name = 'x' RETURNING old.name, new.name$$);
CALL pg_tviews_drain();
SELECT * FROM tv_user ORDER BY 1;
SELECT same('v_user', 'tv_user');

-- What was written is read in the same transaction.
BEGIN;
UPDATE tb_user SET name = 'Bea' WHERE pk_user = 2 RETURNING old.name, new.name, (SELECT t.name FROM tv_user t WHERE t.pk_user = new.pk_user);
SELECT name FROM tv_user WHERE pk_user = 2;
ROLLBACK;

SELECT pg_tviews_drop('user');
DROP SCHEMA since_18_old_and_new CASCADE;
