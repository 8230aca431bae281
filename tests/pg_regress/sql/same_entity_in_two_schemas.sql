-- Two schemas with the same entity name, and a view that reads both.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA same_entity_in_two_schemas;
SET search_path = same_entity_in_two_schemas, public;

CREATE SCHEMA other;
SET search_path = same_entity_in_two_schemas, other, public;
CREATE TABLE same_entity_in_two_schemas.tb_post (pk_post int PRIMARY KEY, title text);
CREATE TABLE other.tb_post (pk_post int PRIMARY KEY, title text);
INSERT INTO same_entity_in_two_schemas.tb_post VALUES (1, 'here 1'), (2, 'here 2');
INSERT INTO other.tb_post VALUES (1, 'there 1'), (3, 'there 3');
CREATE VIEW same_entity_in_two_schemas.v_post AS SELECT pk_post, title FROM same_entity_in_two_schemas.tb_post;
CREATE VIEW other.v_post AS SELECT pk_post, title FROM other.tb_post;
CREATE VIEW v_both AS SELECT pk_post AS id, h.title AS here, t.title AS there FROM same_entity_in_two_schemas.tb_post h JOIN other.tb_post t USING (pk_post);
SELECT pg_tviews_create('post');
SELECT pg_tviews_create('other.post');
SELECT pg_tviews_create('both');

SELECT command FROM run_case('same_entity_in_two_schemas.post,other.post,both',
    $$UPDATE same_entity_in_two_schemas.tb_post SET title = title || '!'$$,
    $$UPDATE other.tb_post SET title = title || '?'$$,
    $$UPDATE other.tb_post SET pk_post = 2 WHERE pk_post = 3$$,
    $$DELETE FROM other.tb_post WHERE pk_post = 1$$,
    $$TRUNCATE same_entity_in_two_schemas.tb_post$$)
\gexec
DROP SCHEMA other CASCADE;

DROP SCHEMA same_entity_in_two_schemas CASCADE;
