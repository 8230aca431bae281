-- DDL on backing views, on views and functions below them, on rights and row security: followed, or suspended with the
-- reason until it works again.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ddl_views;
SET search_path = ddl_views, public;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, secret boolean DEFAULT false);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO tb_post VALUES (10, 1, 'one'), (11, 2, 'two');
CREATE FUNCTION inner_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT '<' || $1 || '>'$$;
CREATE FUNCTION label(t text) RETURNS text LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT inner_label(t); END;
CREATE FUNCTION add_label(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT coalesce($1, '') || $2$$;
CREATE AGGREGATE all_labels(text) (sfunc = add_label, stype = text);
CREATE VIEW v_user AS SELECT pk_user, jsonb_build_object('name', label(name)) AS data FROM tb_user;
CREATE VIEW v_post AS SELECT p.pk_post, p.title, u.data AS author, (SELECT all_labels(o.title ORDER BY o.pk_post) FROM tb_post o WHERE o.fk_user = p.fk_user) AS titles FROM tb_post p JOIN v_user u ON u.pk_user = p.fk_user;
SELECT pg_tviews_create('user');
SELECT pg_tviews_create('post');
CALL pg_tviews_drain();
CREATE FUNCTION state(way text, entities text, change text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    entity text;
    status record;
BEGIN
    FOREACH entity IN ARRAY string_to_array(entities, ',') LOOP
        SELECT state, last_error INTO status FROM pg_tview_status WHERE tview_oid = relation_of('tv_', entity);
        IF status.state = 'active' THEN
            RETURN NEXT format('%s | %s | %s: %s differences', way, change, entity, same(relation_of('v_', entity), relation_of('tv_', entity)));
        ELSE
            RETURN NEXT format('%s | %s | %s is %s: %s', way, change, entity, status.state, status.last_error);
        END IF;
    END LOOP;
END $$;
CREATE FUNCTION step(change text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_user SET name = name || ''-''' UNION ALL SELECT 'ROLLBACK'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT state(''rolled back'', ''user,post'', %L)', change)
     UNION ALL SELECT 'BEGIN' UNION ALL SELECT change UNION ALL SELECT 'UPDATE tb_user SET name = name || ''+''' UNION ALL SELECT 'COMMIT'
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT format('SELECT state(''done'', ''user,post'', %L)', change)
     UNION ALL SELECT 'UPDATE tb_user SET name = name || ''!'' WHERE pk_user = 2'
     UNION ALL SELECT 'UPDATE tb_post SET title = title || ''!'''
     UNION ALL SELECT 'CALL pg_tviews_drain()'
     UNION ALL SELECT 'SELECT state(''later'', ''user,post'', ''changes of data'')'
$$;
SELECT step($$CREATE OR REPLACE VIEW v_user AS SELECT pk_user, jsonb_build_object('name', label(upper(name))) AS data FROM tb_user$$) \gexec
SELECT step($$CREATE OR REPLACE VIEW v_post AS SELECT p.pk_post, lower(p.title) AS title, u.data AS author, (SELECT all_labels(o.title ORDER BY o.pk_post) FROM tb_post o WHERE o.fk_user = p.fk_user) AS titles FROM tb_post p JOIN v_user u ON u.pk_user = p.fk_user$$) \gexec
SELECT step($$CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO v_user DO INSTEAD SELECT pk_user, jsonb_build_object('nick', label(name)) AS data FROM tb_user$$) \gexec
SELECT step($$CREATE OR REPLACE FUNCTION inner_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''{'' || $1 || ''}'''$$) \gexec
SELECT step($$CREATE OR REPLACE FUNCTION add_label(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT coalesce($1, '''') || ''/'' || $2'$$) \gexec
SELECT step($$ALTER FUNCTION label(text) RENAME TO label_2$$) \gexec
SELECT step($$ALTER VIEW v_user SET (security_barrier)$$) \gexec
SELECT step($$ALTER VIEW v_post ALTER COLUMN title SET DEFAULT 'none'$$) \gexec
-- Not a column of the view any more: not maintained.
SELECT step($$ALTER VIEW v_post RENAME COLUMN titles TO headings$$) \gexec
SELECT step($$ALTER VIEW v_post RENAME COLUMN headings TO titles$$) \gexec
-- The key, the name and the schema are what the view is known by.
SELECT step($$ALTER VIEW v_post RENAME COLUMN pk_post TO nr$$) \gexec
SELECT step($$ALTER VIEW v_post RENAME COLUMN nr TO pk_post$$) \gexec
SELECT step($$ALTER VIEW v_post RENAME TO v_article$$) \gexec
SELECT step($$ALTER VIEW v_article RENAME TO v_post$$) \gexec
CREATE SCHEMA ddl_views_2;
SELECT step($$ALTER VIEW v_post SET SCHEMA ddl_views_2$$) \gexec
SELECT step($$ALTER VIEW ddl_views_2.v_post SET SCHEMA ddl_views$$) \gexec
-- A new view takes the place of the old one.
SELECT step($$ALTER VIEW v_post RENAME TO v_post_old; CREATE VIEW v_post AS SELECT pk_post, 'new: ' || title AS title, author, titles FROM v_post_old$$) \gexec
-- Dropped, and made again later; with another source.
SELECT step($$DROP VIEW v_post$$) \gexec
SELECT step($$CREATE VIEW v_post AS SELECT pk_post, title, NULL::jsonb AS author, NULL::text AS titles FROM tb_post$$) \gexec
SELECT step($$DROP VIEW v_user CASCADE$$) \gexec
SELECT step($$CREATE VIEW v_user AS SELECT pk_user, to_jsonb(name) AS data FROM tb_user$$) \gexec
-- The schema of everything.
ALTER SCHEMA ddl_views RENAME TO ddl_views_3;
SET search_path = ddl_views_3, public;
CALL pg_tviews_drain();
UPDATE tb_user SET name = 'moved';
CALL pg_tviews_drain();
SELECT state('schema renamed', 'user,post', NULL);
DROP VIEW v_user;
CREATE VIEW v_user AS SELECT pk_user, to_jsonb('Dr ' || name) AS data FROM tb_user;
CALL pg_tviews_drain();
SELECT state('schema renamed', 'user,post', 'view made again');

-- Rights and row security.
DROP ROLE IF EXISTS regress_ddl_views;
CREATE ROLE regress_ddl_views;
GRANT USAGE, CREATE ON SCHEMA ddl_views_3 TO regress_ddl_views;
ALTER TABLE tv_user OWNER TO regress_ddl_views;
UPDATE tb_user SET name = name || '?';
CALL pg_tviews_drain();
SELECT state('owner', 'user', 'may not read');
GRANT SELECT ON v_user TO regress_ddl_views;
CALL pg_tviews_drain();
SELECT state('owner', 'user', 'may read');
ALTER VIEW v_user OWNER TO regress_ddl_views;
GRANT SELECT ON tb_user TO regress_ddl_views;
CREATE POLICY no_secrets ON tb_user USING (NOT secret);
UPDATE tb_user SET secret = true WHERE pk_user = 1;
CALL pg_tviews_drain();
SELECT 'policies off', pk_user FROM tv_user ORDER BY 2;
ALTER TABLE tb_user ENABLE ROW LEVEL SECURITY;
CALL pg_tviews_drain();
SELECT 'policies on', pk_user FROM tv_user ORDER BY 2;
ALTER POLICY no_secrets ON tb_user USING (secret);
CALL pg_tviews_drain();
SELECT 'policy altered', pk_user FROM tv_user ORDER BY 2;
CREATE POLICY all_of_them ON tb_user USING (true);
CALL pg_tviews_drain();
SELECT 'second policy', pk_user FROM tv_user ORDER BY 2;
DROP POLICY all_of_them ON tb_user;
CALL pg_tviews_drain();
SELECT 'policy dropped', pk_user FROM tv_user ORDER BY 2;
ALTER VIEW v_user OWNER TO postgres;
GRANT SELECT ON v_user TO regress_ddl_views;
CALL pg_tviews_drain();
SELECT 'owner of the view sees all', pk_user FROM tv_user ORDER BY 2;
REASSIGN OWNED BY regress_ddl_views TO postgres;
UPDATE tb_user SET name = 'Q';
CALL pg_tviews_drain();
SELECT state('owner', 'user', 'REASSIGN OWNED');
DROP OWNED BY regress_ddl_views;
ALTER TABLE tv_user OWNER TO regress_ddl_views;
DROP OWNED BY regress_ddl_views;
UPDATE tb_user SET name = 'R';
CALL pg_tviews_drain();
SELECT to_regclass('tv_user'), count(*) FROM pg_tview_meta WHERE entity_name = 'user' AND view_schema = 'ddl_views_3';
DROP ROLE regress_ddl_views;

DROP SCHEMA ddl_views_2;
DROP SCHEMA ddl_views_3 CASCADE;
