-- TVIEWs affected by a drop of the running command. The command dropped their backing view, or an object that
-- the TVIEW or the view depends on. The TVIEW itself was not dropped.
WITH RECURSIVE @dropped@, @touched@
SELECT tview.oid
  FROM tview
  JOIN pg_catalog.pg_class t ON t.oid = tview.oid
