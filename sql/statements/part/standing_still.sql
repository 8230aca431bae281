(
        -- Since when the rows of the TVIEW stand still, because all of them wait to be compared with its view; no row if they do not.
        -- Only TVIEWs of which that may be so are looked up: OFFSET keeps this query, and so its first condition, in one piece.
        SELECT unfilled.audit_id, unfilled.since
          FROM @unfilled@ unfilled
         WHERE (m.state <> 'active' OR newest.operation = 'give_up' OR c.populates)
           AND (m.state = 'populating' OR newest.operation = 'give_up' OR c.populates OR unfilled.audit_id > newest.audit_id)
        OFFSET 0)
