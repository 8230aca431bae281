-- The query of a view (parameter 1), as SQL under the current search_path.
SELECT pg_catalog.rtrim(pg_catalog.pg_get_viewdef($1), ';')
