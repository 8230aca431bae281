-- A name is read as SQL reads it; one that folds to that of a TVIEW with another query is refused.
SET client_min_messages = notice;
CREATE SCHEMA create_capitals;
SET search_path = create_capitals, public;
\pset tuples_only on
\pset format unaligned

CREATE TABLE customer (id int PRIMARY KEY, name text);
CREATE TABLE "Order" (id int PRIMARY KEY, total int);
INSERT INTO customer SELECT i, 'c' || i FROM generate_series(1, 50) i;
INSERT INTO "Order" VALUES (1, 10);
SELECT pg_tviews_create('order', 'SELECT id, name FROM customer');
SELECT error_of($$SELECT pg_tviews_create('Order', 'SELECT id, total FROM "Order"')$$);
SELECT error_of($$SELECT pg_tviews_create('create_capitals.tv_ORDER', 'SELECT id, total FROM "Order"')$$);
SELECT count(*) FROM tv_order;
-- The same query is no harm, nor is a TVIEW of that very name.
SELECT pg_tviews_create('Order', 'SELECT id, name FROM customer');
SELECT pg_tviews_create('"Order"', 'SELECT id, total FROM "Order"');
SELECT pg_tviews_create('Other', 'SELECT id FROM customer');
SELECT count(*) FROM tv_order;
TABLE "tv_Order";
-- Replacing the query is said.
SELECT pg_tviews_create('order', 'SELECT id, upper(name) AS name FROM customer');
SELECT pg_tviews_create('"Order"', 'SELECT id, total + 1 AS total FROM "Order"');

SET client_min_messages = warning;
DROP SCHEMA create_capitals CASCADE;
