-- The read side: each call makes the view v_<name> and the table tv_<name>, fills the table and keeps it equal to
-- the view from now on.
SELECT pg_tviews_create('post', $$
    SELECT p.pk_post,
           p.id,
           jsonb_build_object(
               'title', p.title,
               'content', p.content,
               'author', jsonb_build_object('id', u.id, 'name', u.name),
               'comments', (SELECT coalesce(jsonb_agg(jsonb_build_object('by', cu.name, 'text', c.text) ORDER BY c.pk_comment), '[]')
                            FROM tb_comment c JOIN tb_user cu ON cu.pk_user = c.fk_user
                            WHERE c.fk_post = p.pk_post)
           ) AS data
    FROM tb_post p
    JOIN tb_user u ON u.pk_user = p.fk_user
$$);

SELECT pg_tviews_create('user', $$
    SELECT u.pk_user,
           u.id,
           jsonb_build_object(
               'name', u.name,
               'posts', coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'title', p.title) ORDER BY p.pk_post)
                                 FILTER (WHERE p.pk_post IS NOT NULL), '[]')
           ) AS data
    FROM tb_user u
    LEFT JOIN tb_post p ON p.fk_user = u.pk_user
    GROUP BY u.pk_user, u.id, u.name
$$);
