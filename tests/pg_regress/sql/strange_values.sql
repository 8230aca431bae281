-- Keys and values with quotes, backslashes, control characters, unicode and JSON syntax.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA strange_values;
SET search_path = strange_values, public;

CREATE TABLE tb_word (word text PRIMARY KEY, meaning text);
CREATE TABLE tb_use (pk_use int PRIMARY KEY, word text, doc jsonb);
INSERT INTO tb_word VALUES ('it''s', 'a'), ('say "hi"', 'b'), (E'back\\slash', 'c'), (E'new\nline', 'd'), (E'\x01\x1f\x7f', 'e'),
    ('{"a":1}', 'f'), ('null', 'g'), ('', 'h'), (' ', 'i'), ('日本語 🎉', 'j'), ('$1 %s %%', 'k'), (U&'e\0301', 'l'), (U&'\00e9', 'm'), (U&'\2028', 'n');
INSERT INTO tb_use SELECT row_number() OVER (ORDER BY word COLLATE "C"), word, jsonb_build_object(word, word) FROM tb_word;

CREATE VIEW v_word AS
SELECT w.word, w.meaning, jsonb_agg(u.doc ORDER BY u.pk_use) AS uses FROM tb_word w LEFT JOIN tb_use u ON u.word = w.word GROUP BY w.word;
SELECT pg_tviews_create('word', key_columns => '{word}');

SELECT command FROM run_case('word',
    $$UPDATE tb_word SET meaning = word || meaning$$,
    $$UPDATE tb_use SET doc = jsonb_build_array(doc, word)$$,
    $$INSERT INTO tb_use SELECT pk_use + 100, word, to_jsonb(word) FROM tb_use$$,
    $$UPDATE tb_word SET word = word || '''"\'$$,
    $$UPDATE tb_use SET word = word || '''"\'$$,
    $$DELETE FROM tb_use WHERE pk_use % 2 = 0$$,
    $$DELETE FROM tb_word$$)
\gexec

DROP SCHEMA strange_values CASCADE;
