-- schema/03_tview_metadata.sql
-- Add foreign key relationships (if needed)
UPDATE pg_tview_meta
SET fk_columns = '{fk_user}'::TEXT[]
WHERE entity_name = 'post';
UPDATE pg_tview_meta
SET fk_columns = '{fk_user,fk_post}'::TEXT[]
WHERE entity_name = 'comment';
