-- MERGE with RETURNING, WHEN NOT MATCHED BY SOURCE, and on views; JSON_TABLE as a source of rows.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA since_17_merge;
SET search_path = since_17_merge, public;

CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, stock int);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, lines jsonb);
INSERT INTO tb_item VALUES (1, 'nut', 5), (2, 'bolt', 7), (3, 'pin', 0);
INSERT INTO tb_order VALUES (1, '[{"item": 1, "n": 2}, {"item": 2, "n": 1}]'), (2, '[]'), (3, NULL);
CREATE VIEW item_in_stock AS SELECT pk_item, name, stock FROM tb_item WHERE stock > 0;
CREATE VIEW item_by_trigger AS SELECT pk_item, name FROM tb_item;
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE tb_item SET name = new.name WHERE pk_item = old.pk_item; RETURN new; END$$;
CREATE TRIGGER rename INSTEAD OF UPDATE ON item_by_trigger FOR EACH ROW EXECUTE FUNCTION rename();

CREATE VIEW v_item AS SELECT pk_item, name, stock FROM tb_item;
CREATE VIEW v_stocked AS SELECT pk_item AS id, name FROM item_in_stock;
CREATE VIEW v_line AS SELECT o.pk_order AS id, l.place, l.n, i.name FROM tb_order o
  CROSS JOIN JSON_TABLE(o.lines, '$[*]' COLUMNS (place FOR ORDINALITY, item int PATH '$.item', n int PATH '$.n')) l LEFT JOIN tb_item i ON i.pk_item = l.item;
SELECT pg_tviews_create('item');
SELECT pg_tviews_create('stocked');
SELECT pg_tviews_create('line', key_columns => '{id,place}');

-- A tv table refuses MERGE as any write.
SELECT error_of($$MERGE INTO tv_item t USING (VALUES (1)) s (id) ON t.pk_item = s.id WHEN MATCHED THEN DELETE RETURNING merge_action()$$);

SELECT command FROM run_case('item,stocked,line',
    $$MERGE INTO tb_item i USING (VALUES (1, 9), (4, 4)) s (id, n) ON i.pk_item = s.id WHEN MATCHED THEN UPDATE SET stock = s.n WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'new', s.n) WHEN NOT MATCHED BY SOURCE AND i.stock = 0 THEN DELETE RETURNING merge_action()$$,
    $$MERGE INTO item_in_stock i USING (VALUES (1), (2)) s (id) ON i.pk_item = s.id WHEN MATCHED AND s.id = 1 THEN UPDATE SET stock = 0 WHEN MATCHED THEN UPDATE SET name = 'screw'$$,
    $$MERGE INTO item_in_stock i USING (VALUES (5, 'washer')) s (id, name) ON i.pk_item = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, 1)$$,
    $$MERGE INTO item_by_trigger i USING (VALUES (1)) s (id) ON i.pk_item = s.id WHEN MATCHED THEN UPDATE SET name = 'by trigger'$$,
    $$WITH m AS (MERGE INTO tb_item i USING (VALUES (5)) s (id) ON i.pk_item = s.id WHEN MATCHED THEN DELETE RETURNING i.pk_item) INSERT INTO tb_order SELECT 10 + pk_item, '[]' FROM m$$,
    $$UPDATE tb_order SET lines = '[{"item": 2, "n": 3}]' WHERE pk_order IN (1, 3)$$,
    $$UPDATE tb_item SET name = 'bolt 2' WHERE pk_item = 2$$,
    $$DELETE FROM tb_order$$)
\gexec

DROP SCHEMA since_17_merge CASCADE;
