-- Deletes revisions that a greater or an equal one of the same table has replaced, or whose table no longer exists. A
-- restore may have loaded them before the definition of the TVIEW.
DELETE FROM @extschema@.pg_tview_revision kept
 WHERE EXISTS (SELECT FROM @extschema@.pg_tview_revision other
                WHERE other.tview_oid = kept.tview_oid
                  AND (other.revision > kept.revision OR other.revision = kept.revision AND other.ctid > kept.ctid))
    OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = kept.tview_oid)
