-- This must work first
SELECT * FROM pg_tviews_auto_convert_plan();
-- If entities are missing, check:
SELECT tablename FROM pg_tables WHERE tablename LIKE 'tb_%' ORDER BY tablename;
