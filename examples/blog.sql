-- A small blog: users write posts, posts have comments. The read side is one document per post, with its author and
-- comments inside, and one per user, with the user's posts inside.

CREATE EXTENSION IF NOT EXISTS pg_tviews;

-- The write side: plain tables.
CREATE TABLE tb_user (
    pk_user bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      uuid   NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    email   text   NOT NULL,
    name    text   NOT NULL
);
CREATE TABLE tb_post (
    pk_post bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      uuid   NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    fk_user bigint NOT NULL REFERENCES tb_user (pk_user),
    title   text   NOT NULL,
    content text   NOT NULL
);
CREATE INDEX ON tb_post (fk_user);
CREATE TABLE tb_comment (
    pk_comment bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid   NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    fk_post    bigint NOT NULL REFERENCES tb_post (pk_post),
    fk_user    bigint NOT NULL REFERENCES tb_user (pk_user),
    text       text   NOT NULL
);
CREATE INDEX ON tb_comment (fk_post);
CREATE INDEX ON tb_comment (fk_user);

INSERT INTO tb_user (email, name) VALUES ('ada@example.com', 'Ada'), ('grace@example.com', 'Grace');
INSERT INTO tb_post (fk_user, title, content)
VALUES (1, 'Notes on the engine', 'It weaves patterns.'), (1, 'On numbers', 'Bernoulli, mostly.'), (2, 'A compiler', 'It works.');
INSERT INTO tb_comment (fk_post, fk_user, text) VALUES (1, 2, 'Lovely.'), (3, 1, 'At last.');

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
