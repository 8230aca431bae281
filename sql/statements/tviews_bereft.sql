-- TVIEWs whose backing view the running command has dropped, or something that these depend on without being dropped, too.
WITH RECURSIVE @dropped@, @touched@
SELECT tview.oid
  FROM tview
  JOIN pg_catalog.pg_class t ON t.oid = tview.oid
