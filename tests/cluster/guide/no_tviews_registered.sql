-- Debug: see what would be converted
SELECT * FROM pg_tviews_auto_convert_plan();
-- Debug: see conversion errors
SELECT * FROM pg_tviews_auto_convert();
