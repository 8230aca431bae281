-- The same call with another query changes the TVIEW, and an unchanged call does nothing.
SELECT pg_tviews_create('post', $$
    SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.name) AS data
      FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user
$$);
