-- The tables that foreign keys of table $1 refer to.
SELECT confrelid FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype = 'f'
