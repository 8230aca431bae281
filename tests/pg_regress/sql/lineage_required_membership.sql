-- IN and EXISTS that must be true lead on as a join does: in WHERE, in ON of an inner join, inside of sub-selects that
-- aggregate. NOT IN and NOT EXISTS do not: what they keep out is tied to nothing.
SET client_min_messages = warning;
SET jit = off;
CREATE SCHEMA lineage_required_membership;
SET search_path = lineage_required_membership, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, topic int, title text);
CREATE TABLE tb_follow (fk_user int, topic int);
CREATE INDEX ON tb_follow (topic);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 20) i;
INSERT INTO tb_post SELECT i, i % 7, 'post ' || i FROM generate_series(1, 40) i;
INSERT INTO tb_follow SELECT i, i % 5 FROM generate_series(1, 20) i;
INSERT INTO tb_follow VALUES (1, NULL), (NULL, 1);
CREATE TABLE shapes (number int GENERATED ALWAYS AS IDENTITY, query text);
INSERT INTO shapes (query) VALUES
('SELECT u.pk_user AS id, (SELECT count(*) FROM tb_post p WHERE p.topic IN (SELECT f.topic FROM tb_follow f WHERE f.fk_user = u.pk_user)) AS n FROM tb_user u'),
('SELECT u.pk_user AS id, (SELECT jsonb_agg(p.title ORDER BY p.pk_post) FROM tb_post p WHERE EXISTS (SELECT FROM tb_follow f WHERE f.fk_user = u.pk_user AND f.topic = p.topic)) AS titles FROM tb_user u'),
('SELECT u.pk_user AS id, l.n FROM tb_user u, LATERAL (SELECT count(*) AS n FROM tb_post p WHERE p.topic = ANY (SELECT f.topic FROM tb_follow f WHERE f.fk_user = u.pk_user)) l'),
('SELECT u.pk_user AS id, count(*) AS n FROM tb_user u JOIN tb_post p ON p.topic IN (SELECT f.topic FROM tb_follow f WHERE f.fk_user = u.pk_user) GROUP BY 1'),
('SELECT u.pk_user AS id, (SELECT count(*) FROM tb_post p WHERE EXISTS (SELECT FROM tb_follow f WHERE f.topic = p.topic AND EXISTS (SELECT FROM tb_user w WHERE w.pk_user = f.fk_user AND w.pk_user = u.pk_user))) AS n FROM tb_user u'),
('SELECT u.pk_user AS id, (SELECT count(*) FROM tb_post p WHERE NOT EXISTS (SELECT FROM tb_follow f WHERE f.fk_user = u.pk_user AND f.topic = p.topic)) AS n FROM tb_user u'),
('SELECT u.pk_user AS id, (SELECT count(*) FROM tb_post p WHERE EXISTS (SELECT max(f.topic) FROM tb_follow f WHERE f.fk_user = u.pk_user AND f.topic = p.topic)) AS n FROM tb_user u'),
('SELECT u.pk_user AS id, count(p.pk_post) AS n FROM tb_user u LEFT JOIN tb_post p ON p.topic IN (SELECT f.topic FROM tb_follow f WHERE f.fk_user = u.pk_user) GROUP BY 1');
SELECT number, e.source, e.strategy, e.reason FROM shapes, pg_tviews_explain(query) WITH ORDINALITY AS e (source, strategy, captured_columns, key_query, reason, advice, running, place)
 ORDER BY number, place;
DO $$BEGIN PERFORM pg_tviews_create('s' || number, query) FROM shapes; END$$;
CALL pg_tviews_drain();
CREATE FUNCTION wrong() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 's' || number FROM shapes WHERE EXISTS (SELECT FROM differences(relation_of('v_', 's' || number), relation_of('tv_', 's' || number))) ORDER BY 1
$$;
UPDATE tb_post SET topic = topic + 1 WHERE pk_post % 3 = 0;
CALL pg_tviews_drain();
SELECT wrong();
UPDATE tb_follow SET topic = topic + 1 WHERE fk_user % 4 = 0;
CALL pg_tviews_drain();
SELECT wrong();
DELETE FROM tb_follow WHERE fk_user = 3; DELETE FROM tb_post WHERE pk_post = 3; INSERT INTO tb_post VALUES (100, 3, 'new'); INSERT INTO tb_follow VALUES (3, 3);
CALL pg_tviews_drain();
SELECT wrong();
-- The last witness and what it let in go together.
BEGIN; DELETE FROM tb_follow WHERE topic = 2; DELETE FROM tb_post WHERE topic = 2; UPDATE tb_user SET name = 'x'; COMMIT;
CALL pg_tviews_drain();
SELECT wrong();
BEGIN; INSERT INTO tb_follow SELECT pk_user, 2 FROM tb_user WHERE pk_user % 2 = 0; INSERT INTO tb_post VALUES (200, 2, 'back'); COMMIT;
CALL pg_tviews_drain();
SELECT wrong();

DROP SCHEMA lineage_required_membership CASCADE;
