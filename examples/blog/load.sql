-- Readers write comments, authors write and edit posts, users are renamed.
\set action random(1, 100)
\set user random(1, 2)
\if :action <= 60
INSERT INTO tb_comment (fk_post, fk_user, text)
SELECT pk_post, :user, 'Comment ' || :action FROM tb_post ORDER BY random() LIMIT 1;
\elif :action <= 75
DELETE FROM tb_comment WHERE pk_comment = (SELECT pk_comment FROM tb_comment ORDER BY random() LIMIT 1);
\elif :action <= 85
INSERT INTO tb_post (fk_user, title, content) VALUES (:user, 'Post ' || :action, 'Written under load.');
\elif :action <= 95
UPDATE tb_post SET title = 'Edited ' || :action WHERE pk_post = (SELECT pk_post FROM tb_post ORDER BY random() LIMIT 1);
\else
UPDATE tb_user SET name = split_part(name, ' ', 1) || ' ' || :action WHERE pk_user = :user;
\endif
