-- COPY of a tv table shows the changes of its own transaction, as a query does.
SET client_min_messages = notice;
CREATE SCHEMA read_your_writes_copy;
SET search_path = read_your_writes_copy, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text);
INSERT INTO tb_item VALUES (1, 'one'), (2, 'two');
CREATE TABLE tv_item (pk_item int PRIMARY KEY, "Odd ""name" text, twice text GENERATED ALWAYS AS ("Odd ""name" || "Odd ""name") STORED);
SELECT pg_tviews_create('item', 'SELECT pk_item, name AS "Odd ""name" FROM tb_item');
BEGIN;
UPDATE tb_item SET name = 'uno' WHERE pk_item = 1;
COPY tv_item TO STDOUT;
INSERT INTO tb_item VALUES (3, 'three');
COPY read_your_writes_copy.tv_item ("Odd ""name", twice) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE (twice));
COPY tv_item (nonsense) TO STDOUT;
ROLLBACK;
-- Of itself only, as ever; other tables, and COPY FROM, are none of it.
CREATE TABLE more () INHERITS (tv_item);
INSERT INTO more VALUES (9, 'below');
BEGIN;
DELETE FROM tb_item WHERE pk_item = 2;
COPY tv_item TO STDOUT;
COPY tb_item TO STDOUT;
COPY tb_item FROM STDIN;
5	five
\.
COPY tv_item (pk_item) TO STDOUT;
COPY nowhere TO STDOUT;
ROLLBACK;
-- What cannot be shown is said.
BEGIN;
SET LOCAL pg_tviews.preview_limit = 1;
UPDATE tb_item SET name = name || '!';
COPY tv_item TO STDOUT;
ROLLBACK;
BEGIN;
SET LOCAL pg_tviews.read_your_writes = off;
UPDATE tb_item SET name = name || '!';
COPY tv_item TO STDOUT;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA read_your_writes_copy CASCADE;
