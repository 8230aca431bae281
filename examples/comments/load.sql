-- Users answer, edit and delete; users and boards are renamed.
\set action random(1, 100)
\set comment random(1, 3500)
\set user random(1, 100)
\set board random(1, 30)
\if :action <= 60
INSERT INTO tb_comment (fk_thread, fk_parent, fk_user, text)
SELECT fk_thread, pk_comment, :user, 'Answer ' || :action FROM tb_comment
 WHERE pk_comment >= :comment AND cardinality(path) < 12
 ORDER BY pk_comment LIMIT 1 FOR KEY SHARE;
\elif :action <= 85
UPDATE tb_comment SET text = 'Edited ' || :user WHERE pk_comment = :comment;
\elif :action <= 93
DELETE FROM tb_comment c WHERE pk_comment = :comment AND NOT EXISTS (SELECT FROM tb_comment a WHERE a.fk_parent = c.pk_comment);
\elif :action <= 99
UPDATE tb_user SET name = 'User ' || :user || '.' || :action WHERE pk_user = :user;
\else
UPDATE tb_board SET name = 'Board ' || :board || '.' || :user WHERE pk_board = :board;
\endif
