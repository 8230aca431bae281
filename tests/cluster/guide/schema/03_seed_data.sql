INSERT INTO tb_user (email, name) SELECT format('u%s@example.com', i), format('User %s', i) FROM generate_series(1, 5) i;
INSERT INTO tb_post (fk_user, title, content) SELECT 1 + i % 5, format('Post %s', i), 'text' FROM generate_series(1, 20) i;
INSERT INTO tb_comment (fk_post, fk_user, text) SELECT 1 + i % 20, 1 + i % 5, 'it''s "fine"' FROM generate_series(1, 40) i;
