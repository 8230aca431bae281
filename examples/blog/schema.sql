-- A small blog: users write posts, posts have comments. The read side is one document per post, with its author and
-- comments inside, and one per user, with the user's posts inside.

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
