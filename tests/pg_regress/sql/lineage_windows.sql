-- Window functions with PARTITION BY: a change reaches every row of the partition.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA lineage_windows;
SET search_path = lineage_windows, public;

CREATE TABLE tb_team (pk_team int PRIMARY KEY, name text, league text);
CREATE TABLE tb_player (pk_player int PRIMARY KEY, fk_team int, name text, goals int);
INSERT INTO tb_team VALUES (1, 'red', 'A'), (2, 'blue', 'A'), (3, 'green', 'B');
INSERT INTO tb_player SELECT i, 1 + i % 3, 'p' || i, i % 5 FROM generate_series(1, 12) AS i;

CREATE VIEW v_player AS
SELECT pk_player AS id, name, rank() OVER (PARTITION BY fk_team ORDER BY goals DESC, pk_player) AS place,
       goals - lag(goals) OVER (PARTITION BY fk_team ORDER BY goals DESC, pk_player) AS gap, sum(goals) OVER w AS team_goals
  FROM tb_player WINDOW w AS (PARTITION BY fk_team);
CREATE VIEW v_joined AS
SELECT p.pk_player AS id, t.name, row_number() OVER (PARTITION BY t.league ORDER BY p.goals DESC, p.pk_player) AS place
  FROM tb_player p JOIN tb_team t ON t.pk_team = p.fk_team;
CREATE VIEW v_best AS
SELECT id, name FROM (SELECT pk_player AS id, name, row_number() OVER (PARTITION BY fk_team ORDER BY goals DESC, pk_player) AS place FROM tb_player) x WHERE place = 1;
CREATE VIEW v_two_windows AS
SELECT pk_player AS id, count(*) OVER (PARTITION BY fk_team) AS mates, count(*) OVER (PARTITION BY goals) AS same_goals FROM tb_player;
CREATE VIEW v_grouped AS
SELECT fk_team AS id, sum(goals) AS goals, max(sum(goals)) OVER (PARTITION BY fk_team % 2) AS most FROM tb_player WHERE fk_team IS NOT NULL GROUP BY fk_team;
CREATE VIEW v_expression AS
SELECT pk_player AS id, max(goals) OVER (PARTITION BY coalesce(fk_team, -1), goals > 2) AS m FROM tb_player;
SELECT pg_tviews_create(entity) FROM unnest('{player,joined,best,two_windows,grouped,expression}'::text[]) AS entity;

SELECT command FROM run_case('player,joined,best,two_windows,grouped,expression',
    $$UPDATE tb_player SET goals = 99 WHERE pk_player = 4$$,
    $$UPDATE tb_player SET fk_team = 3 WHERE pk_player = 4$$,
    $$DELETE FROM tb_player WHERE pk_player = 4$$,
    $$UPDATE tb_team SET league = 'B' WHERE pk_team = 2$$,
    $$INSERT INTO tb_player VALUES (13, 1, 'new', 50), (14, NULL, 'free', 1), (15, NULL, 'free2', 3)$$,
    $$UPDATE tb_player SET goals = goals + 1 WHERE fk_team IS NULL$$,
    $$UPDATE tb_player SET fk_team = NULL WHERE pk_player = 13$$,
    $$UPDATE tb_player SET goals = 0 WHERE fk_team = 2$$,
    $$DELETE FROM tb_player WHERE fk_team = 1$$,
    $$TRUNCATE tb_team$$)
\gexec

DROP SCHEMA lineage_windows CASCADE;
