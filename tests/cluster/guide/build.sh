#!/bin/bash
# 1. Create extension
psql -d mydb -c "CREATE EXTENSION IF NOT EXISTS pg_tviews;"
# 2. Apply base schema
psql -d mydb -f schema/01_base_tables.sql
psql -d mydb -f schema/02_materialized_views.sql
# 3. DRY RUN: Preview conversion
echo "Preview TVIEW conversion:"
psql -d mydb -f sql/auto_convert_tviews.sql
psql -d mydb -c "
SELECT entity, base_table, backing_view
FROM pg_tviews_auto_convert_plan()
ORDER BY entity;
"
# 4. Execute conversion
echo "Converting tv_* tables to TVIEWs:"
psql -d mydb -c "
SELECT entity, status, message
FROM pg_tviews_auto_convert()
ORDER BY entity;
"
# 5. Verify
echo "Registered TVIEWs:"
psql -d mydb -c "
SELECT entity_name, tview_oid
FROM pg_tview_meta
ORDER BY entity_name;
"
# 6. Seed data (now works with TVIEWs active)
psql -d mydb -f schema/03_seed_data.sql
