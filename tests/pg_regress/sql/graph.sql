-- pg_tviews_graph: which tables and TVIEWs feed which, in three formats.
SET client_min_messages = warning;
CREATE SCHEMA graph;
SET search_path = graph, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
CREATE TABLE tb_note (pk_note int PRIMARY KEY, fk_post int, note text);
SELECT pg_tviews_create('user', 'SELECT pk_user, jsonb_build_object(''name'', name) AS data FROM tb_user');
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.data AS author FROM tb_post p JOIN tv_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('rank', 'SELECT pk_post AS pk_rank, rank() OVER (ORDER BY title) FROM tb_post');
SELECT pg_tviews_create('note', 'SELECT pk_note, note FROM tb_note');
SELECT pg_tviews_create('count', 'SELECT fk_user AS pk_count, count(*) AS n FROM tb_post WHERE fk_user IS NOT NULL GROUP BY fk_user');
SELECT pg_tviews_create('top', 'SELECT p.pk_post AS pk_top, r.rank, c.n, n.note FROM tv_post p LEFT JOIN tv_rank r ON r.pk_rank = p.pk_post LEFT JOIN tv_count c ON c.pk_count = p.pk_post LEFT JOIN tv_note n ON n.pk_note = p.pk_post');
SELECT pg_tviews_graph('top');
SELECT pg_tviews_graph('top', 'dot');
SELECT pg_tviews_drop('top');
SELECT count(*) = (SELECT count(*) FROM pg_tview_meta) AS all FROM jsonb_array_elements(pg_tviews_graph(format => 'json')::jsonb -> 'tviews');
SELECT jsonb_pretty(pg_tviews_graph('post', 'json')::jsonb);
SELECT pg_tviews_graph(NULL, NULL) = pg_tviews_graph() AS nulls;

-- One TVIEW: all below and all above it, and nothing beside.
SELECT pg_tviews_graph('user');
SELECT pg_tviews_graph('tv_post');
SELECT pg_tviews_graph('graph.note');

-- What is declared, and states.
UPDATE pg_tview_meta SET fk_columns = '{fk_post}' WHERE entity_name = 'note';
CALL pg_tviews_drain();
SELECT pg_tviews_pause('note');
SELECT pg_tviews_graph('note');
SELECT pg_tviews_resume('note');
DROP VIEW v_rank;
SELECT pg_tviews_graph('rank');
CREATE VIEW v_rank AS SELECT pk_post AS pk_rank, 1::bigint AS rank FROM tb_post;
CALL pg_tviews_drain();
SELECT pg_tviews_graph('rank');

-- A definition of an earlier version does not say how its sources are followed, until it is refreshed.
UPDATE pg_tview_definition SET strategies = '{}' WHERE entity_name = 'note';
SELECT pg_tviews_graph('note');

-- Groups. Those of which nothing is shown are left out.
UPDATE pg_tview_meta SET refresh_group = 'people" ]' WHERE entity_name IN ('user', 'post');
UPDATE pg_tview_meta SET refresh_group = 'another' WHERE entity_name = 'note';
SELECT pg_tviews_pause('post');
SELECT pg_tviews_graph('user');
SELECT pg_tviews_graph('user', 'dot');
SELECT jsonb_pretty(pg_tviews_graph(NULL, 'json')::jsonb -> 'groups') AS groups;
SELECT pg_tviews_graph('rank', 'json')::jsonb -> 'groups' AS none;
SELECT pg_tviews_resume('post');
UPDATE pg_tview_meta SET refresh_group = NULL;

-- Names that end strings, lines and tags.
CREATE TABLE "tb_x""; DROP <b>&amp; `#quot;` %%{init}%%
\N žluť" (id int PRIMARY KEY);
SELECT pg_tviews_create('"Odd "" <i> \ name
x"', $$SELECT id FROM "tb_x""; DROP <b>&amp; `#quot;` %%{init}%%
\N žluť"$$);
SELECT pg_tviews_graph('"Odd "" <i> \ name
x"');
SELECT pg_tviews_graph('"Odd "" <i> \ name
x"', 'dot');
SELECT jsonb_pretty(pg_tviews_graph('"Odd "" <i> \ name
x"', 'json')::jsonb);

-- Errors.
SELECT error_of($$SELECT pg_tviews_graph('nobody')$$);
SELECT error_of($$SELECT pg_tviews_graph(format => 'svg')$$);

-- Roles see what pg_tview_meta shows them.
CREATE ROLE graph_reader;
GRANT USAGE ON SCHEMA graph TO graph_reader;
SET ROLE graph_reader;
SELECT pg_tviews_graph('user') = pg_tviews_graph('user', 'mermaid') AS readable;
RESET ROLE;
REVOKE SELECT ON pg_tview_meta FROM PUBLIC;
SET ROLE graph_reader;
SELECT error_of('SELECT pg_tviews_graph()');
RESET ROLE;
GRANT SELECT ON pg_tview_meta TO PUBLIC;

DROP SCHEMA graph CASCADE;
DROP OWNED BY graph_reader;
DROP ROLE graph_reader;
