-- Whether the rows of the TVIEW (parameter 1) must still be brought in line with the whole view. That is so
-- if the TVIEW was created or redefined, or gave up changes, after that was last done. It is also so while
-- that is being done.
SELECT coalesce(filled < asked, filled IS NULL)
       OR EXISTS (SELECT 1 FROM @extschema@.pg_tview_comparison c WHERE c.tview_oid = $1 AND c.populates)
  FROM (SELECT (SELECT a.audit_id
                  FROM @extschema@.pg_tview_meta_audit a
                 WHERE a.tview_oid BETWEEN $1 AND $1 AND a.position IS NOT NULL AND a.operation <> 'give_up'
                 ORDER BY a.tview_oid DESC, a.audit_id DESC
                 LIMIT 1) AS filled,
               (SELECT a.audit_id
                  FROM @extschema@.pg_tview_meta_audit a
                 WHERE a.tview_oid BETWEEN $1 AND $1 AND a.operation IN ('create', 'redefine', 'give_up')
                   AND (a.operation = 'give_up' OR a.position IS NULL)
                 ORDER BY a.tview_oid DESC, a.audit_id DESC
                 LIMIT 1) AS asked) newest
