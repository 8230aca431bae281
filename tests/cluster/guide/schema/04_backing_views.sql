-- schema/04_backing_views.sql
-- Override with custom backing view (if needed)
DROP VIEW IF EXISTS v_post;
CREATE VIEW v_post AS
SELECT
pk_post,
id,
fk_user,
title,
content
FROM tb_post;
-- Re-register with custom view
SELECT pg_tviews_create('post', $$
SELECT
pk_post,
jsonb_build_object(
'id', id,
'title', title,
'content', content,
'fk_user', fk_user
) AS data
FROM tb_post
$$);
