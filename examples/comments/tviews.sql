-- The read side of the forum. See README.md for what each shows.

-- A comment, with what is above it, the answers to it, and how many comments are below it.
SELECT pg_tviews_create('comment', $$
    SELECT c.pk_comment, c.fk_thread,
           jsonb_build_object(
               'by', u.name,
               'text', c.text,
               'above', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.pk_comment, 'by', pu.name) ORDER BY cardinality(p.path)), '[]')
                         FROM tb_ancestor a
                         JOIN tb_comment p ON p.pk_comment = a.fk_ancestor
                         JOIN tb_user pu ON pu.pk_user = p.fk_user
                         WHERE a.fk_comment = c.pk_comment),
               'answers', (SELECT coalesce(jsonb_agg(r.pk_comment ORDER BY r.pk_comment), '[]') FROM tb_comment r WHERE r.fk_parent = c.pk_comment),
               'below', (SELECT count(*) FROM tb_ancestor b WHERE b.fk_ancestor = c.pk_comment)
           ) AS data
    FROM tb_comment c JOIN tb_user u ON u.pk_user = c.fk_user
$$);
CREATE INDEX ON tv_comment (fk_thread);

-- A thread as one document: its comments in the order in which they are read, with their depth.
SELECT pg_tviews_create('thread', $$
    SELECT t.pk_thread,
           jsonb_build_object(
               'title', t.title,
               'board', b.name,
               'comments', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', c.pk_comment, 'depth', cardinality(c.path), 'by', u.name, 'text', c.text) ORDER BY c.path), '[]')
                            FROM tb_comment c JOIN tb_user u ON u.pk_user = c.fk_user
                            WHERE c.fk_thread = t.pk_thread)
           ) AS data
    FROM tb_thread t JOIN tb_board b ON b.pk_board = t.fk_board
$$);

-- A board with the names of the boards above it. A recursive query is compared in full with each change of a board.
SELECT pg_tviews_create('board', $$
    WITH RECURSIVE tree AS (
        SELECT pk_board, fk_parent, name, ARRAY[name] AS path FROM tb_board WHERE fk_parent IS NULL
        UNION ALL
        SELECT b.pk_board, b.fk_parent, b.name, tree.path || b.name FROM tb_board b JOIN tree ON tree.pk_board = b.fk_parent
    )
    SELECT pk_board, name, path FROM tree
$$);
