-- Manual creation for debugging
CREATE VIEW v_post AS SELECT pk_post, * FROM tb_post;
-- Test pg_tviews_create manually
SELECT pg_tviews_create('post', 'SELECT pk_post, * FROM tb_post');
