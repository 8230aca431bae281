-- The query of a view (parameter 1), and its options as in WITH (...), NULL without any.
SELECT rtrim(pg_get_viewdef(c.oid), ';'),
       (SELECT string_agg(o.option_name || ' = ' || quote_literal(o.option_value), ', ')
          FROM pg_options_to_table(c.reloptions) o)
  FROM pg_catalog.pg_class c
 WHERE c.oid = $1
