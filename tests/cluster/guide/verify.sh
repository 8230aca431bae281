# 1. Check TVIEWs are registered
psql -d mydb -c "SELECT * FROM pg_tview_meta;"
# 2. Check backing views exist
psql -d mydb -c "
SELECT * FROM information_schema.views
WHERE table_name ~ '^v_'
ORDER BY table_name;
"
# 3. Test automatic refresh
psql -d mydb -c "
INSERT INTO tb_user (email, name) VALUES ('alice@example.com', 'Alice');
SELECT * FROM tv_user; -- Should be automatically populated
"
# 4. Check queue operations
psql -d mydb -c "SELECT * FROM pg_tview_queue LIMIT 5;"
