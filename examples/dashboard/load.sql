-- Requests come in by the dozen, some are corrected, and some of an old day are cleaned up.
\set action random(1, 100)
\set site random(1, 20)
\set number random(1, 1000)
\if :action <= 90
INSERT INTO tb_request (fk_site, day, status, duration, bytes)
SELECT 1 + (:site + i) % 20, date '2026-02-01', CASE WHEN i = :action THEN 500 ELSE 200 END, :number + i, :number * 10
  FROM generate_series(1, 12) i;
\elif :action <= 97
UPDATE tb_request SET status = 200, duration = duration / 2
 WHERE pk_request IN (SELECT pk_request FROM tb_request WHERE fk_site = :site AND day = date '2026-02-01' AND status >= 500 LIMIT 5);
\elif :action <= 99
DELETE FROM tb_request WHERE pk_request BETWEEN :number * 10 AND :number * 10 + 20;
\else
UPDATE tb_site SET name = 'site' || :site || '-' || :number || '.example' WHERE pk_site = :site;
\endif
