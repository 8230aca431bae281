-- A forum: boards in boards, threads, and comments that answer comments.

CREATE TABLE tb_user (
    pk_user bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL
);
-- A small tree, which hardly changes.
CREATE TABLE tb_board (
    pk_board  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fk_parent bigint REFERENCES tb_board,
    name      text NOT NULL
);
CREATE TABLE tb_thread (
    pk_thread bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fk_board  bigint NOT NULL REFERENCES tb_board,
    title     text   NOT NULL
);
-- A large tree, which changes all the time. path: the comment and all above it, from the top.
CREATE TABLE tb_comment (
    pk_comment bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fk_thread  bigint   NOT NULL REFERENCES tb_thread ON DELETE CASCADE,
    fk_parent  bigint   REFERENCES tb_comment ON DELETE CASCADE,
    fk_user    bigint   NOT NULL REFERENCES tb_user,
    path       bigint[] NOT NULL,
    text       text     NOT NULL
);
CREATE INDEX ON tb_comment (fk_thread);
CREATE INDEX ON tb_comment (fk_parent);
CREATE INDEX ON tb_comment (fk_user);
-- Each comment with each comment above it: what joins follow.
CREATE TABLE tb_ancestor (
    fk_comment  bigint NOT NULL REFERENCES tb_comment ON DELETE CASCADE,
    fk_ancestor bigint NOT NULL REFERENCES tb_comment ON DELETE CASCADE,
    PRIMARY KEY (fk_comment, fk_ancestor)
);
CREATE INDEX ON tb_ancestor (fk_ancestor);

CREATE FUNCTION set_path() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.path := coalesce((SELECT path FROM tb_comment WHERE pk_comment = NEW.fk_parent), '{}') || NEW.pk_comment;
    RETURN NEW;
END $$;
CREATE TRIGGER set_path BEFORE INSERT ON tb_comment FOR EACH ROW EXECUTE FUNCTION set_path();
CREATE FUNCTION add_ancestors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tb_ancestor SELECT NEW.pk_comment, above FROM unnest(trim_array(NEW.path, 1)) AS above;
    RETURN NULL;
END $$;
CREATE TRIGGER add_ancestors AFTER INSERT ON tb_comment FOR EACH ROW EXECUTE FUNCTION add_ancestors();

INSERT INTO tb_user (name) SELECT 'User ' || i FROM generate_series(1, 100) i;
INSERT INTO tb_board (fk_parent, name) SELECT nullif(i / 3, 0), 'Board ' || i FROM generate_series(1, 30) i;
INSERT INTO tb_thread (fk_board, title) SELECT 1 + i % 30, 'Thread ' || i FROM generate_series(1, 100) i;
-- Each answers one of the thread that was written before it.
INSERT INTO tb_comment (fk_thread, fk_parent, fk_user, text)
SELECT 1 + i % 100, CASE WHEN i >= 100 THEN 1 + i % 100 + 100 * ((i / 100 - 1) / 2) END, 1 + i % 37, 'Comment ' || i
  FROM generate_series(0, 2999) i ORDER BY i;
ANALYZE;
