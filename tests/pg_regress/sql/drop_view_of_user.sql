-- pg_tviews_drop drops the very view that the extension made, not another of its name.
SET client_min_messages = warning;
CREATE SCHEMA drop_view_of_user;
SET search_path = drop_view_of_user, public;

CREATE TABLE tb_item (id int PRIMARY KEY, n int);
INSERT INTO tb_item VALUES (1, 10);
-- Dropped and made again by the user: with the same query, noticed meanwhile or not, and with another.
SELECT pg_tviews_create(name, 'SELECT id, n FROM tb_item') FROM unnest('{same,noticed,other,redefined,replaced,ours,renamed}'::text[]) name;
DROP VIEW v_same; CREATE VIEW v_same AS SELECT id, n FROM tb_item;
DROP VIEW v_noticed; CREATE VIEW v_noticed AS SELECT id, n FROM tb_item;
DROP VIEW v_other; CREATE VIEW v_other AS SELECT id, n + 1 AS n FROM tb_item;
-- Redefined by the extension afterwards, in place.
DROP VIEW v_redefined; CREATE VIEW v_redefined AS SELECT id, n FROM tb_item;
SELECT pg_tviews_create('redefined', 'SELECT id, n + 1 AS n FROM tb_item');
-- Replaced in place by the user: still the extension's; as is one that the extension made anew.
CREATE OR REPLACE VIEW v_replaced AS SELECT id, n + 1 AS n FROM tb_item;
SELECT pg_tviews_create('ours', 'SELECT n, id FROM tb_item');
-- Under another name.
ALTER VIEW v_renamed RENAME TO mine; CREATE VIEW v_renamed AS SELECT id, n FROM tb_item;
CALL pg_tviews_drain('noticed');
SELECT pg_tviews_drop('same'); SELECT pg_tviews_drop('other');
CALL pg_tviews_drain();
SELECT pg_tviews_drop('noticed'); SELECT pg_tviews_drop('redefined'); SELECT pg_tviews_drop('replaced'); SELECT pg_tviews_drop('ours'); SELECT pg_tviews_drop('renamed');
SELECT relname FROM pg_class WHERE relnamespace = 'drop_view_of_user'::regnamespace AND relkind = 'v' ORDER BY relname;
-- Nor is a view that was there before.
SELECT pg_tviews_create('other');
SELECT pg_tviews_create('other', 'SELECT id, n + 2 AS n FROM tb_item');
SELECT pg_tviews_drop('other');
SELECT regexp_replace(pg_get_viewdef('v_other'), '\mtb_item\.', '', 'g') AS view;

DROP SCHEMA drop_view_of_user CASCADE;
