-- What the plan says of tables that cannot be converted.
SET client_min_messages = warning;
CREATE SCHEMA auto_convert_skips;
SET search_path = auto_convert_skips, public;

CREATE TABLE tb_a (pk_a int PRIMARY KEY);
CREATE VIEW tv_a AS SELECT * FROM tb_a;
CREATE TABLE tb_b (pk_b int PRIMARY KEY);
CREATE TABLE tv_b (pk_b int PRIMARY KEY) PARTITION BY RANGE (pk_b);
CREATE TABLE tb_c (c int);
CREATE TABLE tv_c (pk_c int PRIMARY KEY, data jsonb);
CREATE TABLE tb_d (pk_d int PRIMARY KEY, label text);
CREATE TABLE tv_d (id int, data jsonb);
CREATE VIEW tb_e AS SELECT * FROM tb_a;
CREATE TABLE tv_e (pk_a int PRIMARY KEY, data jsonb);
CREATE MATERIALIZED VIEW tv_f AS SELECT * FROM tb_a;
CREATE TABLE tb_f (pk_f int PRIMARY KEY);
CREATE TABLE tv_ (pk_ int PRIMARY KEY);
CREATE TABLE tvx (pk_x int PRIMARY KEY);
CREATE TABLE "tv_G" ("pk_G" int PRIMARY KEY, data jsonb);
CREATE TABLE "tb_G" ("pk_G" int PRIMARY KEY, "Name" text);
INSERT INTO "tb_G" VALUES (1, 'capital');
-- Tables without a unique index on the key, and one that cannot take the rows.
CREATE TABLE tb_i (pk_i int PRIMARY KEY, n int);
CREATE TABLE tv_i (pk_i int, n int, data jsonb);
CREATE TABLE tb_j (pk_j int PRIMARY KEY, n int);
CREATE TABLE tv_j (pk_j int, data jsonb);
INSERT INTO tv_j VALUES (1), (1);
CREATE TABLE tb_k (pk_k int PRIMARY KEY, n int);
CREATE VIEW v_k AS SELECT pk_k, n FROM tb_k;
CREATE TABLE tv_k (pk_k int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_k VALUES (1, NULL);
CREATE TABLE tb_l (pk_l int PRIMARY KEY, n int);
CREATE TABLE tv_l (pk_l int PRIMARY KEY, data jsonb);
INSERT INTO tb_l VALUES (1, 1);
SELECT * FROM pg_tviews_auto_convert_plan() ORDER BY entity COLLATE "C";
BEGIN;
SELECT entity, status, message FROM pg_tviews_auto_convert() WITH ORDINALITY ORDER BY ordinality;
-- What was tried is taken back, and no lock is left that writers wait for, but on a table that got an index.
TABLE tv_k;
TABLE tv_l;
SELECT relation::regclass, mode FROM pg_locks
 WHERE pid = pg_backend_pid() AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'auto_convert_skips'::regnamespace AND relkind = 'r')
   AND mode NOT IN ('AccessShareLock', 'RowExclusiveLock') ORDER BY 1, 2;
COMMIT;
SELECT to_regclass('v_i'), to_regclass('v_j'), to_regclass('v_l');
CALL pg_tviews_drain();
TABLE "tv_G";
SELECT pk_l, data FROM tv_l;
-- One whose sources are followed already.
CREATE VIEW v_m AS SELECT pk_l AS pk_m, data->'n' AS n FROM tv_l;
CREATE TABLE tv_m (pk_m int PRIMARY KEY, n jsonb);
CREATE VIEW v_n AS SELECT pk_l AS pk_n FROM tb_l;
CREATE TABLE tv_n (pk_n int PRIMARY KEY);
SELECT entity, status, message FROM pg_tviews_auto_convert() WHERE status = 'SUCCESS' ORDER BY 1;
CALL pg_tviews_drain();
UPDATE tb_l SET n = 2;
INSERT INTO tb_l VALUES (2, 3);
CALL pg_tviews_drain();
TABLE tv_m;
TABLE tv_n;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('tb_l'::regclass, 'tv_l'::regclass, 'tv_m'::regclass, 'tv_n'::regclass) ORDER BY 1, 2;

DROP SCHEMA auto_convert_skips CASCADE;
