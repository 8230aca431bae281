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
SELECT * FROM pg_tviews_auto_convert_plan() ORDER BY entity COLLATE "C";
SELECT * FROM pg_tviews_auto_convert() ORDER BY entity COLLATE "C";
CALL pg_tviews_drain();
TABLE "tv_G";

DROP SCHEMA auto_convert_skips CASCADE;
