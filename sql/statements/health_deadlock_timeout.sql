-- deadlock_timeout in milliseconds.
SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout'
