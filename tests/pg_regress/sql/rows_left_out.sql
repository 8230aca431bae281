-- Rows of the view without a place in the table, which appear by a keyed refresh: their key is NULL because an outer join finds no
-- match, or is that of another row. The audit, the check and the health check report them as long as they are there, however other rows
-- change, and no longer.
SET client_min_messages = warning;
CREATE SCHEMA rows_left_out;
SET search_path = rows_left_out, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user SELECT u, 'user ' || u FROM generate_series(1, 3000) u;
INSERT INTO tb_post SELECT p, (p + 2) / 3, 'post ' || p FROM generate_series(1, 9000) p;
ANALYZE tb_user, tb_post;
SELECT pg_tviews_create('feed', 'SELECT u.pk_user AS u, p.pk_post AS p, name, title
    FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user', key_columns => '{u,p}');
CALL pg_tviews_drain();
CREATE FUNCTION told(name text) RETURNS TABLE (status text, sqlstate text, message text) LANGUAGE sql AS
$$ SELECT status, sqlstate, message FROM pg_tview_meta_audit WHERE tview_oid = ('tv_' || name)::regclass AND operation IN ('refresh', 'populate')
   ORDER BY audit_id DESC LIMIT 1 $$;
CREATE FUNCTION faults() RETURNS SETOF text LANGUAGE sql AS
$$ SELECT status || ' ' || message FROM pg_tviews_health_check() WHERE message LIKE '%rows_left_out%' $$;
SELECT count(*) FROM told('feed') WHERE status <> 'SUCCESS';
SELECT count(*) FROM faults();

-- A user without posts.
INSERT INTO tb_user VALUES (4001, 'new');
CALL pg_tviews_drain();
SELECT * FROM told('feed');
SELECT * FROM pg_tviews_check('feed');
SELECT * FROM faults();
-- Others change.
UPDATE tb_user SET name = 'other' WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT status FROM told('feed');
SELECT count(*) FROM faults();
-- The user has a post.
INSERT INTO tb_post VALUES (10001, 4001, 'first');
CALL pg_tviews_drain();
SELECT * FROM told('feed');
SELECT * FROM pg_tviews_check('feed');
SELECT * FROM faults();

-- The last post of a user is moved to another.
UPDATE tb_post SET fk_user = 4001 WHERE pk_post BETWEEN 298 AND 300;
CALL pg_tviews_drain();
SELECT * FROM told('feed');
SELECT * FROM pg_tviews_check('feed');
UPDATE tb_post SET fk_user = 100 WHERE pk_post = 300;
CALL pg_tviews_drain();
SELECT * FROM told('feed');
-- Of more users at a time than are looked up one by one.
DELETE FROM tb_post WHERE fk_user BETWEEN 2000 AND 2700;
CALL pg_tviews_drain();
SELECT * FROM told('feed');
SELECT problem, count(*) FROM pg_tviews_check('feed') GROUP BY 1;
DELETE FROM tb_user WHERE pk_user BETWEEN 2000 AND 2700;
CALL pg_tviews_drain();
SELECT * FROM told('feed');
SELECT * FROM pg_tviews_check('feed');
SELECT * FROM faults();

-- The other key column comes from a sub-select with groups.
CREATE TABLE tb_like (pk_like int PRIMARY KEY, fk_post int);
CREATE INDEX ON tb_like (fk_post);
INSERT INTO tb_like SELECT i, i FROM generate_series(1, 999, 2) i;
ANALYZE tb_like;
SELECT pg_tviews_create('likes', 'SELECT g.fk_post AS l, u.pk_user AS u, g.n
    FROM (SELECT fk_post, count(*) AS n FROM tb_like GROUP BY fk_post) g
    LEFT JOIN tb_post p ON p.pk_post = g.fk_post LEFT JOIN tb_user u ON u.pk_user = p.fk_user', key_columns => '{l,u}');
CALL pg_tviews_drain();
UPDATE tb_like SET fk_post = 20000 WHERE pk_like = 7;
CALL pg_tviews_drain();
SELECT * FROM told('likes');
SELECT * FROM pg_tviews_check('likes');
UPDATE tb_like SET fk_post = 7 WHERE pk_like = 7;
CALL pg_tviews_drain();
SELECT * FROM told('likes');

-- No other key column: a small view is asked as a whole.
CREATE TABLE tb_shelf (pk_shelf int PRIMARY KEY);
CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_shelf int);
INSERT INTO tb_shelf VALUES (1), (2);
INSERT INTO tb_book VALUES (1, 1), (2, 2);
ANALYZE tb_shelf, tb_book;
SELECT pg_tviews_create('book', 'SELECT pk_book, pk_shelf FROM tb_shelf LEFT JOIN tb_book ON fk_shelf = pk_shelf');
CALL pg_tviews_drain();
INSERT INTO tb_shelf VALUES (3);
CALL pg_tviews_drain();
SELECT * FROM told('book');
DELETE FROM tb_shelf WHERE pk_shelf = 3;
CALL pg_tviews_drain();
SELECT * FROM told('book');
-- One side of a full join is always there.
SELECT pg_tviews_create('side', 'SELECT id, a.n AS a, b.n AS b
    FROM (SELECT pk_shelf AS id, 1 AS n FROM tb_shelf) a FULL JOIN (SELECT pk_book AS id, 2 AS n FROM tb_book) b USING (id)', key_columns => '{id}');
CALL pg_tviews_drain();
INSERT INTO tb_shelf VALUES (7);
INSERT INTO tb_book VALUES (8);
CALL pg_tviews_drain();
SELECT * FROM told('side');
TABLE tv_side ORDER BY id;
DELETE FROM tb_shelf WHERE pk_shelf = 7;

-- A key that comes twice, while another row changes.
CREATE TABLE tb_code (pk_code int PRIMARY KEY, code text, n int);
INSERT INTO tb_code SELECT i, 'code ' || i, 0 FROM generate_series(1, 3000) i;
CREATE INDEX ON tb_code (code);
ANALYZE tb_code;
SELECT pg_tviews_create('code', 'SELECT code, n FROM tb_code', key_columns => '{code}');
CALL pg_tviews_drain();
INSERT INTO tb_code VALUES (4000, 'code 5', 1);
CALL pg_tviews_drain();
UPDATE tb_code SET n = 1 WHERE pk_code = 1;
CALL pg_tviews_drain();
SELECT * FROM told('code');
SELECT * FROM faults();
DELETE FROM tb_code WHERE pk_code = 4000;
CALL pg_tviews_drain();
SELECT * FROM told('code');
SELECT * FROM faults();

-- One row of the view fails: neither that nor the key that comes twice is in the way of others.
SELECT pg_tviews_create('fraction', 'SELECT code, n FROM tb_code WHERE 1 / (n - 7) IS NOT NULL', key_columns => '{code}');
CALL pg_tviews_drain();
INSERT INTO tb_code VALUES (4000, 'code 5', 1);
CALL pg_tviews_drain();
UPDATE tb_code SET n = 7 WHERE pk_code = 2;
CALL pg_tviews_drain();
UPDATE tb_code SET n = 8 WHERE pk_code = 3;
CALL pg_tviews_drain();
SELECT * FROM told('fraction');
SELECT n FROM tv_fraction WHERE code = 'code 3';
SELECT state FROM pg_tview_meta WHERE entity_name = 'fraction';
UPDATE tb_code SET n = 0 WHERE pk_code = 2;
DELETE FROM tb_code WHERE pk_code = 4000;
CALL pg_tviews_drain();
SELECT * FROM told('fraction');

-- A key that comes twice where computing the view takes long: until all rows are compared.
CREATE FUNCTION dear(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1000 AS 'BEGIN RETURN 2 * n; END';
SELECT pg_tviews_create('dear', 'SELECT code, dear(n) AS n FROM tb_code', key_columns => '{code}');
CALL pg_tviews_drain();
INSERT INTO tb_code VALUES (4000, 'code 5', 1);
CALL pg_tviews_drain();
DELETE FROM tb_code WHERE pk_code = 4000;
CALL pg_tviews_drain();
UPDATE tb_code SET n = 2 WHERE pk_code = 1;
CALL pg_tviews_drain();
SELECT * FROM told('dear');
SELECT count(*) FROM faults();
SELECT pg_tviews_refresh('dear');
CALL pg_tviews_drain();
SELECT * FROM told('dear');
SELECT count(*) FROM faults();

DROP SCHEMA rows_left_out CASCADE;
