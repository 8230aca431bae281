-- The keys that the feed gets, for each type of key and each operation of one refresh. Some types have no arrays of
-- several values: arrays and rows.
SET client_min_messages = warning;
CREATE SCHEMA feed_keys;
SET search_path = feed_keys, public;
CREATE DOMAIN code AS varchar(10) CHECK (VALUE <> '');
CREATE TYPE place AS (x int, y text);
CREATE TYPE mood AS ENUM ('sad', 'happy');
-- One TVIEW for each type: three rows to be changed, removed and left alone; a fourth is added.
CREATE TABLE kind (name text PRIMARY KEY, type text, k text[]);
INSERT INTO kind VALUES
    ('small', 'smallint', '{-1,2,3,4}'), ('big', 'bigint', '{-9223372036854775808,2,3,4}'), ('flag', 'boolean', '{t,f}'),
    ('uuid', 'uuid', '{00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000002,00000000-0000-0000-0000-000000000003,00000000-0000-0000-0000-000000000004}'),
    ('text', 'text', '{"","quote \" and \\","ž\n",d}'), ('code', 'code', '{a,b,c,d}'), ('char', '"char"', '{a,b,c,d}'),
    ('exact', 'numeric', '{1.50,2,NaN,4}'), ('float', 'float8', '{0.1,2,3,1e300}'), ('day', 'date', '{2020-01-31,2020-02-01,infinity,2020-02-03}'),
    ('span', 'interval', '{1 day,2 days,3 days,4 days}'), ('mood', 'mood', '{sad,happy}'), ('bytes', 'bytea', '{"\\x00","\\x01","\\x02","\\x03"}'),
    ('object', 'jsonb', '{"{\"a\": 1}","\"text\"",null,"[1, 2]"}'), ('list', 'int[]', '{"{1,2}","{3}","{}","{4,NULL}"}'),
    ('place', 'place', '{"(1,a)","(2,b)","(3,)","(4,\"c, d\")"}');
UPDATE kind SET k[3] = 'null' WHERE name = 'object';
DO $$
DECLARE this record;
BEGIN
    FOR this IN TABLE kind LOOP
        EXECUTE format('CREATE TABLE tb_%1$s (k %2$s PRIMARY KEY, v text)', this.name, CASE this.type WHEN 'code' THEN 'varchar(10)' ELSE this.type END);
        EXECUTE format('INSERT INTO tb_%1$s SELECT ($1[n])::%2$s, n::text FROM generate_series(1, least(3, cardinality($1))) n', this.name, this.type) USING this.k;
        PERFORM pg_tviews_create(this.name, format('SELECT k::%2$s AS k, v FROM tb_%1$s', this.name, this.type), key_columns => '{k}');
    END LOOP;
    UPDATE pg_tview_meta SET feed = true WHERE view_schema = 'feed_keys';
    DELETE FROM pg_tview_change;
    FOR this IN TABLE kind LOOP
        EXECUTE format('UPDATE tb_%1$s SET v = ''changed'' WHERE k = ($1[1])::%2$s', this.name, this.type) USING this.k;
        EXECUTE format('DELETE FROM tb_%1$s WHERE k = ($1[2])::%2$s', this.name, this.type) USING this.k;
        EXECUTE format('INSERT INTO tb_%1$s SELECT ($1[4])::%2$s, ''new'' WHERE cardinality($1) = 4', this.name, this.type) USING this.k;
    END LOOP;
END $$;
CALL pg_tviews_drain();
SELECT entity_name, operation, keys FROM pg_tview_change ORDER BY 1, 2;
-- Each change is in the feed, as provenance finds it by a key that a user writes.
SELECT count(*) FILTER (WHERE operation = 'UPDATE') AS updated, count(*) FILTER (WHERE operation = 'DELETE') AS deleted, count(*) FILTER (WHERE operation = 'INSERT') AS inserted FROM pg_tview_change;
SELECT operation FROM pg_tviews_provenance('place', '(4,"c, d")');
SELECT operation FROM pg_tviews_provenance('list', '{4,NULL}');
-- Single keys, one after the other; a key of several columns, of which one has another type in the table; a row that is
-- nothing but its key.
DELETE FROM pg_tview_change;
CREATE TABLE tb_pair (a int, b text, v int, PRIMARY KEY (a, b));
CREATE TABLE tv_pair (a bigint, b text, "Only ""value""" int, PRIMARY KEY (a, b));
CREATE VIEW v_pair AS SELECT a, b, v AS "Only ""value""" FROM tb_pair;
CREATE TABLE tb_bare ("The ""key""" int PRIMARY KEY);
SELECT pg_tviews_create('pair', key_columns => '{a,b}');
SELECT pg_tviews_create('bare', 'SELECT "The ""key""" FROM tb_bare', key_columns => '{"The \"key\""}');
UPDATE pg_tview_meta SET feed = true WHERE entity_name IN ('pair', 'bare') AND view_schema = 'feed_keys';
DELETE FROM pg_tview_change;
INSERT INTO tb_pair VALUES (1, 'one', 1); CALL pg_tviews_drain();
UPDATE tb_pair SET v = 2; CALL pg_tviews_drain();
UPDATE tb_pair SET b = 'uno'; CALL pg_tviews_drain();
DELETE FROM tb_pair; INSERT INTO tb_bare VALUES (1), (2); CALL pg_tviews_drain();
DELETE FROM tb_bare WHERE "The ""key""" = 2; CALL pg_tviews_drain();
SELECT entity_name, operation, keys FROM pg_tview_change ORDER BY change_id;
-- Many keys are computed together. They are not compressed.
DELETE FROM pg_tview_change;
INSERT INTO tb_pair SELECT i, 'name ' || i, 0 FROM generate_series(1, 3000) i; CALL pg_tviews_drain();
UPDATE tb_pair SET v = 1 WHERE a <= 2000; DELETE FROM tb_pair WHERE a > 2000 AND a <= 2500; CALL pg_tviews_drain();
SELECT c.operation, count(DISTINCT k.key), min((k.key->>'a')::int), max((k.key->>'a')::int), bool_and(k.key->>'b' = 'name ' || (k.key->>'a')) AS right_pairs,
       count(pg_column_compression(c.keys)) AS compressed
  FROM pg_tview_change c, jsonb_array_elements(c.keys) k(key) GROUP BY c.change_id, c.operation ORDER BY c.change_id;
-- Numbers rise in the order in which rows of the feed were written, and are those of the column.
INSERT INTO tb_bare VALUES (7); CALL pg_tviews_drain();
SELECT max(change_id) = pg_sequence_last_value(pg_get_serial_sequence('pg_tview_change', 'change_id')) AS same, count(DISTINCT change_id) = count(*) AS distinct FROM pg_tview_change;
DO $$ BEGIN IF EXISTS (SELECT FROM kind k, LATERAL pg_tviews_check(k.name)) THEN RAISE 'differs'; END IF; END $$;
DROP SCHEMA feed_keys CASCADE;
