-- Functions, among those of parameter 1, whose result can change without a change of a source, and the kind
-- of each. Functions of PostgreSQL itself are listed by name. Most of them that are only STABLE depend on
-- nothing but pinned settings.
SELECT f.called, p.oid::regprocedure::text AS name,
       CASE
           WHEN p.provolatile = 'v' AND p.oid >= 16384
                AND p.prolang IN (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'c') THEN 'volatile'
           WHEN p.oid >= 16384 THEN 'tables'
           WHEN p.proname IN ('now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp', 'timeofday')
                OR p.proname = 'age' AND p.pronargs = 1 THEN 'time'
           WHEN p.proname IN ('query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema', 'table_to_xml',
                              'table_to_xml_and_xmlschema', 'schema_to_xml', 'schema_to_xml_and_xmlschema',
                              'database_to_xml', 'database_to_xml_and_xmlschema', 'cursor_to_xml', 'ts_rewrite', 'ts_stat',
                              'lo_get', 'currval', 'pg_sequence_last_value') THEN 'tables'
           WHEN p.provolatile = 'v' THEN 'volatile'
           ELSE 'session'
       END AS kind
  FROM unnest($1) AS f (called)
  LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = f.called
 CROSS JOIN LATERAL (SELECT p.* FROM pg_catalog.pg_proc p
                      WHERE p.oid IN (f.called, a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
                        AND p.provolatile <> 'i') AS p
 WHERE p.oid >= 16384
    OR p.provolatile = 'v'
    OR p.proname IN ('now', 'transaction_timestamp', 'statement_timestamp', 'age', 'current_user', 'session_user', 'system_user',
                     'getpgusername', 'current_setting', 'current_schema', 'current_schemas', 'current_database',
                     'row_security_active', 'mxid_age', 'obj_description', 'col_description',
                     'shobj_description', 'format_type', 'txid_current', 'txid_current_if_assigned', 'txid_current_snapshot',
                     'table_to_xml', 'table_to_xml_and_xmlschema', 'schema_to_xml', 'schema_to_xml_and_xmlschema',
                     'database_to_xml', 'database_to_xml_and_xmlschema')
    OR p.proname ~ '^(inet_(client|server)_|has_.*_privilege$|to_reg(class|collation|namespace|oper|operator|proc|procedure|role|type|typemod)$)'
    OR p.proname ~ '^pg_(get_|has_|stat_|relation_|current_|backend_pid|my_temp|is_other_temp|trigger_depth|describe_|identify_|.*_is_visible$|cursor|prepared_|listening|show_|options_|sequence_|settings_|conf_load|postmaster_start|timezone_|available_|numa_)'
 ORDER BY 3, 2
