-- The application's own triggers on a source: change the row, update the source again, write elsewhere.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA source_triggers;
SET search_path = source_triggers, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, posts int DEFAULT 0, touched int DEFAULT 0);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann', 1), (2, 'Bob', 0);
INSERT INTO tb_post VALUES (10, 1, 'one');
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.title := initcap(NEW.title); RETURN NEW; END';
CREATE FUNCTION count_posts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tb_user SET posts = (SELECT count(*) FROM tb_post WHERE fk_user = pk_user) WHERE pk_user IN (OLD.fk_user, NEW.fk_user);
    RETURN NULL;
END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tb_user SET touched = touched + 1 WHERE pk_user = NEW.pk_user;
    RETURN NULL;
END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON tb_post FOR EACH ROW EXECUTE FUNCTION tidy();
CREATE TRIGGER refuse BEFORE DELETE ON tb_post FOR EACH ROW WHEN (OLD.title = 'Keep') EXECUTE FUNCTION refuse();
CREATE TRIGGER a_count AFTER INSERT OR UPDATE OR DELETE ON tb_post FOR EACH ROW EXECUTE FUNCTION count_posts();
CREATE TRIGGER z_touch AFTER UPDATE OF name ON tb_user FOR EACH ROW EXECUTE FUNCTION touch();

CREATE VIEW v_user AS SELECT pk_user, name, posts, touched FROM tb_user;
CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.name, u.posts FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');

SELECT command FROM run_case('user,post',
    $$INSERT INTO tb_post VALUES (11, 1, 'lower case'), (12, 2, 'keep')$$,
    $$UPDATE tb_user SET name = name || '!'$$,
    $$UPDATE tb_post SET fk_user = 2 WHERE pk_post = 10$$,
    $$DELETE FROM tb_post WHERE fk_user = 2$$,
    $$DELETE FROM tb_post WHERE fk_user = 1; UPDATE tb_user SET name = 'x' WHERE pk_user = 1$$)
\gexec

DROP SCHEMA source_triggers CASCADE;
