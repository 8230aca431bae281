-- The tables that foreign keys of the table (parameter 1) reference.
SELECT confrelid FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype = 'f'
