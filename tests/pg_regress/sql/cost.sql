-- pg_tviews_cost: which changes the time of refreshes was spent on, by TVIEW and source.
SET client_min_messages = warning;
CREATE SCHEMA cost;
SET search_path = cost, public;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 10) i;
-- Each user but the first has 9 posts; the first has 20.
INSERT INTO tb_post SELECT i, CASE WHEN i <= 20 THEN 1 ELSE 2 + i % 9 END, 'post ' || i FROM generate_series(1, 101) i;
SELECT pg_tviews_create('post', 'SELECT p.pk_post, p.title, u.name FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user');
SELECT pg_tviews_create('rank', 'SELECT pk_user AS pk_rank, rank() OVER (ORDER BY name) FROM tb_user');
CREATE VIEW costs AS
SELECT entity_name, source, refreshes, comparisons, changes, keys, keys_per_change, seconds >= 0 AS seconds,
       jsonb_array_length(worst_transactions) AS worst
  FROM pg_tviews_cost() WHERE tview_oid IN ('tv_post'::regclass, 'tv_rank'::regclass);
-- Both were filled when they were created, and not refreshed since.
SELECT * FROM costs ORDER BY 1, 2;

-- One change of a user leads to 20 posts. Two changes of posts lead to two.
UPDATE tb_user SET name = 'first' WHERE pk_user = 1;
CALL pg_tviews_drain();
UPDATE tb_post SET title = 'changed' WHERE pk_post IN (1, 100);
CALL pg_tviews_drain();
SELECT * FROM costs ORDER BY 1, 2;

-- One refresh of three transactions over two sources.
UPDATE tb_user SET name = name || '.' WHERE pk_user IN (2, 3);
UPDATE tb_user SET name = name || '!' WHERE pk_user = 1;
UPDATE tb_post SET title = 'again' WHERE pk_post BETWEEN 30 AND 39;
CALL pg_tviews_drain();
SELECT * FROM costs ORDER BY 1, 2;
SELECT source, worst - 'xid' - 'seconds' - 'audit_id' AS worst, (worst ->> 'seconds')::numeric >= 0 AS seconds,
       EXISTS (SELECT FROM pg_tview_meta_audit a WHERE a.audit_id = (worst ->> 'audit_id')::bigint AND a.entity_name = 'post') AS audited
  FROM pg_tviews_cost() c, jsonb_array_elements(worst_transactions) worst
 WHERE tview_oid = 'tv_post'::regclass ORDER BY source, worst ->> 'keys', 2;

-- The shares of a refresh add up to the time that it took.
SELECT abs((SELECT sum(seconds) FROM pg_tviews_cost() WHERE entity_name = 'post')
           - (SELECT sum(extract(epoch FROM finished_at - started_at)) FROM pg_tview_meta_audit
               WHERE tview_oid = 'tv_post'::regclass AND operation IN ('refresh', 'populate'))) < 0.001 AS whole;

-- What is requested counts for the TVIEW itself.
SELECT pg_tviews_refresh('post', '{1,2,3}');
CALL pg_tviews_drain();
SELECT * FROM costs WHERE source = 'tv_post'::regclass;
SELECT pg_tviews_refresh('post');
CALL pg_tviews_drain();
SELECT * FROM costs WHERE source = 'tv_post'::regclass;

-- A request without keys.
SELECT pg_tviews_refresh('post', '{}');
CALL pg_tviews_drain();
SELECT * FROM costs WHERE source = 'tv_post'::regclass;

-- Rows of an earlier version do not say what led to them.
UPDATE pg_tview_meta_audit SET details = NULL WHERE operation = 'refresh' AND tview_oid = 'tv_post'::regclass;
SELECT * FROM costs ORDER BY 1, 2;

-- The interval: what is recent, nothing, everything.
SELECT count(*) FROM pg_tviews_cost('0');
SELECT count(*) FROM pg_tviews_cost('-1 day');
SELECT count(*) > 0 AS all FROM pg_tviews_cost(NULL);
SELECT count(*) > 0 AS all FROM pg_tviews_cost('170000000 years');
SELECT count(*) FROM pg_tviews_cost('-170000000 years');

-- Roles see their own TVIEWs, as in pg_tview_status.
CREATE ROLE cost_reader;
SET ROLE cost_reader;
SELECT count(*) FROM pg_tviews_cost();
RESET ROLE;
GRANT pg_monitor TO cost_reader;
SET ROLE cost_reader;
SELECT count(*) > 0 AS monitored FROM pg_tviews_cost();
RESET ROLE;

DROP SCHEMA cost CASCADE;
DROP ROLE cost_reader;
