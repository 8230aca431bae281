-- The fingerprint of a text (parameter 1).
SELECT pg_catalog.md5($1)
