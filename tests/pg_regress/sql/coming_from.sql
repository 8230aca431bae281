-- The migrations of docs/coming-from.md that need no other extension.
SET client_min_messages = warning;
CREATE SCHEMA app;
SET search_path = app, public;
CREATE ROLE reporting;
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, day date NOT NULL, amount numeric NOT NULL);
INSERT INTO tb_sale VALUES (1, '2026-01-01', 10), (2, '2026-01-02', 5);
CREATE MATERIALIZED VIEW mv_daily AS SELECT day, sum(amount) AS total FROM tb_sale GROUP BY day;
CREATE UNIQUE INDEX ON mv_daily (day);
SELECT entity, action, reason FROM pg_tviews_auto_convert_plan('app');
SELECT * FROM pg_tviews_auto_convert('app');
CALL pg_tviews_drain();
BEGIN;
DROP MATERIALIZED VIEW app.mv_daily;
CREATE VIEW app.mv_daily AS SELECT * FROM app.tv_daily;
GRANT SELECT ON app.mv_daily TO reporting;
COMMIT;
UPDATE tb_sale SET amount = 7 WHERE pk_sale = 2;
CALL pg_tviews_drain();
TABLE mv_daily ORDER BY day;

CREATE TABLE post (id int PRIMARY KEY, title text NOT NULL);
CREATE TABLE comment (id int PRIMARY KEY, post_id int NOT NULL REFERENCES post, written_at date NOT NULL);
CREATE INDEX ON comment (post_id);
CREATE TABLE post_stats (id int PRIMARY KEY, comments bigint NOT NULL DEFAULT 0, last_comment date, note text);
CREATE FUNCTION count_comments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE app.post_stats SET comments = comments + 1, last_comment = NEW.written_at WHERE id = NEW.post_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_comments AFTER INSERT ON comment FOR EACH ROW EXECUTE FUNCTION count_comments();
INSERT INTO post VALUES (1, 'one'), (2, 'two');
INSERT INTO post_stats (id, note) VALUES (1, 'kept'), (2, NULL);
INSERT INTO comment VALUES (1, 1, '2026-01-03'), (2, 1, '2026-01-01');
-- The triggers know nothing of this one.
DELETE FROM comment WHERE id = 2;
TABLE post_stats ORDER BY id;
BEGIN;
DROP TRIGGER count_comments ON comment;
ALTER TABLE post_stats RENAME TO tv_post_stats;
SELECT pg_tviews_create('post_stats', $$
    SELECT p.id, count(c.id) AS comments, max(c.written_at) AS last_comment
    FROM post p LEFT JOIN comment c ON c.post_id = p.id
    GROUP BY p.id
$$);
CREATE VIEW post_stats AS SELECT * FROM tv_post_stats;
COMMIT;
CALL pg_tviews_drain();
TABLE post_stats ORDER BY id;
UPDATE comment SET post_id = 2;
INSERT INTO comment VALUES (3, 1, '2026-01-04');
CALL pg_tviews_drain();
TABLE post_stats ORDER BY id;
SELECT source, strategy FROM pg_tviews_explain('post_stats');
UPDATE post_stats SET note = 'mine' WHERE id = 2;
SELECT error_of($$UPDATE app.tv_post_stats SET comments = 0$$);
DROP SCHEMA app CASCADE;
DROP ROLE reporting;
