-- The extension, and the judge that every file of this folder uses: the plain view.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION pg_tviews;

-- Rows that a view has and its tv table has not (missing), and the other way round (extra), over the
-- columns both have, or those named. Types without equality are compared as text.
CREATE FUNCTION differences(view regclass, tv regclass, columns text DEFAULT NULL)
RETURNS TABLE (problem text, content text) LANGUAGE plpgsql AS $$
DECLARE
    view_list text;
    tv_list   text;
BEGIN
    SELECT string_agg(CASE WHEN plain THEN format('%I', attname)
                           ELSE format('%I::text AS %I', attname, attname) END, ', ' ORDER BY attnum),
           string_agg(format(CASE WHEN plain THEN '%I::%s AS %I' ELSE '%I::%s::text AS %I' END,
                             attname, type, attname), ', ' ORDER BY attnum)
      INTO tv_list, view_list
      FROM (SELECT t.attname, t.attnum, format_type(t.atttypid, t.atttypmod) AS type,
                   t.atttypid <> ALL ('{json,xml,point,line,lseg,box,path,polygon,circle}'::regtype[]) AS plain
              FROM pg_attribute t
              JOIN pg_attribute v ON v.attrelid = view AND v.attname = t.attname AND NOT v.attisdropped
             WHERE t.attrelid = tv AND t.attnum > 0 AND NOT t.attisdropped
               AND (columns IS NULL OR t.attname = ANY (string_to_array(columns, ', ')))) AS common;
    IF tv_list IS NULL THEN
        RAISE EXCEPTION '% and % have no column in common', view, tv;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT ''missing'', whole_row::text FROM (SELECT %1$s FROM %2$s EXCEPT ALL SELECT %3$s FROM %4$s) AS whole_row
         UNION ALL
         SELECT ''extra'', whole_row::text FROM (SELECT %3$s FROM %4$s EXCEPT ALL SELECT %1$s FROM %2$s) AS whole_row
         ORDER BY 1, 2', view_list, view, tv_list, tv);
END $$;

-- How many differences; 0 is right.
CREATE FUNCTION same(view regclass, tv regclass, columns text DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM differences(view, tv, columns)';

-- 'app.post' with prefix 'tv_' is app.tv_post.
CREATE FUNCTION relation_of(prefix text, entity text) RETURNS regclass LANGUAGE sql AS $$
    SELECT (CASE WHEN strpos(entity, '.') > 0
                 THEN format('%I.%I', split_part(entity, '.', 1), prefix || split_part(entity, '.', 2))
                 ELSE format('%I', prefix || entity) END)::regclass
$$;

-- One line for one step: "same", or what is wrong.
CREATE FUNCTION judge(way text, entities text, step text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    label   text := way || ' | ' || coalesce(left(regexp_replace(step, '\s+', ' ', 'g'), 200) || ' | ', '');
    faults  text[];
BEGIN
    SELECT array_agg(format('%s: %s %s', entity, d.problem, left(d.content, 300)))
      INTO faults
      FROM string_to_table(entities, ',') AS entity,
           differences(relation_of('v_', entity), relation_of('tv_', entity)) AS d;
    faults := faults || (SELECT array_agg(format('left in the queue: %s %s', source_oid, operation))
                           FROM pg_tview_queue);
    RETURN NEXT label || CASE WHEN faults IS NULL THEN 'same' ELSE 'WRONG' END;
    RETURN QUERY SELECT '    ' || fault FROM unnest(faults[1:10]) AS fault;
END $$;

-- The exact row versions of tv tables, to show later that nothing was written.
CREATE PROCEDURE remember_rows(entities text) LANGUAGE plpgsql AS $$
DECLARE
    entity text;
BEGIN
    DROP TABLE IF EXISTS remembered_rows;
    CREATE TEMP TABLE remembered_rows (entity text, version text, content text);
    FOREACH entity IN ARRAY string_to_array(entities, ',') LOOP
        EXECUTE format('INSERT INTO remembered_rows SELECT %L, concat(tv_row.ctid, tv_row.xmin), tv_row::text FROM %s AS tv_row',
                       entity, relation_of('tv_', entity));
    END LOOP;
END $$;

-- Counts row versions that came or went since remember_rows.
CREATE FUNCTION rows_rewritten() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    entity    text;
    rewritten bigint := 0;
    n         bigint;
BEGIN
    FOR entity IN SELECT DISTINCT r.entity FROM remembered_rows AS r LOOP
        EXECUTE format(
            'SELECT count(*) FROM (SELECT version, content FROM remembered_rows WHERE entity = %L) AS earlier
               FULL JOIN (SELECT concat(tv_row.ctid, tv_row.xmin) AS version, tv_row::text AS content FROM %s AS tv_row) AS later
              USING (version, content) WHERE earlier IS NULL OR later IS NULL',
            entity, relation_of('tv_', entity)) INTO n;
        rewritten := rewritten + n;
    END LOOP;
    RETURN rewritten;
END $$;

-- One line after a ROLLBACK.
CREATE FUNCTION judge_rolled_back() RETURNS text LANGUAGE sql AS $$
    SELECT format('rolled back | %s tv rows written, %s queue rows', rows_rewritten(),
                  (SELECT count(*) FROM pg_tview_queue))
$$;

-- One line after the drop of every TVIEW.
CREATE FUNCTION judge_dropped() RETURNS text LANGUAGE sql AS $$
    SELECT format('dropped | %s TVIEWs, %s triggers left',
                  (SELECT count(*) FROM pg_tview_meta JOIN pg_class ON oid = tview_oid
                    WHERE relnamespace::regnamespace::text <> 'public'),
                  (SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
                    WHERE tgname LIKE 'pg_tviews%' AND relnamespace::regnamespace::text <> 'public'))
$$;

-- The commands of a case, for \gexec. Each step is the body of one transaction. Ways: everything rolled
-- back; a drain only at the end; everything in one transaction; a drain after every step. Between the
-- ways the tables of the search_path get their first content back. At last the TVIEWs are dropped.
CREATE FUNCTION run_case(entities text, VARIADIC steps text[])
RETURNS TABLE (command text) LANGUAGE plpgsql AS $$
DECLARE
    tables  oid[];
    tv_oids oid[] := ARRAY(SELECT tview_oid FROM pg_tview_meta);
    step    text;
    restore text;
BEGIN
    SELECT array_agg(oid ORDER BY oid) INTO tables FROM pg_class
     WHERE relnamespace::regnamespace::text <> 'public'
       AND relnamespace = ANY (SELECT quote_ident(s)::regnamespace FROM unnest(current_schemas(false)) AS s) AND relkind IN ('r', 'p')
       AND NOT relispartition AND oid <> ALL (tv_oids);

    SELECT 'BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE '
           || string_agg(t::regclass::text, ', ') || '; '
           || string_agg(format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I', t::regclass,
                                columns, columns, 'saved_' || t), '; ') || '; COMMIT'
      INTO restore
      FROM unnest(tables) AS t,
           LATERAL (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
                     WHERE attrelid = t AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS c;

    command := 'CALL pg_tviews_drain()'; RETURN NEXT;
    command := format('SELECT judge(%L, %L, NULL)', 'created', entities); RETURN NEXT;
    FOR command IN
        SELECT format('CREATE TEMP TABLE %I AS SELECT * FROM %s %s', 'saved_' || t,
                      CASE WHEN relkind = 'r' THEN 'ONLY' END, t::regclass)
          FROM unnest(tables) AS t JOIN pg_class ON pg_class.oid = t
    LOOP
        RETURN NEXT;
    END LOOP;

    command := format('CALL remember_rows(%L)', entities); RETURN NEXT;
    command := 'BEGIN; ' || array_to_string(steps, '; ') || '; ROLLBACK'; RETURN NEXT;
    command := 'SELECT judge_rolled_back()'; RETURN NEXT;

    FOREACH step IN ARRAY steps LOOP
        command := 'BEGIN; ' || step || '; COMMIT'; RETURN NEXT;
    END LOOP;
    command := 'CALL pg_tviews_drain()'; RETURN NEXT;
    command := format('SELECT judge(%L, %L, NULL)', 'drained once at the end', entities); RETURN NEXT;

    command := restore; RETURN NEXT;
    command := 'CALL pg_tviews_drain()'; RETURN NEXT;
    command := format('SELECT judge(%L, %L, NULL)', 'first content back', entities); RETURN NEXT;
    command := 'BEGIN; ' || array_to_string(steps, '; ') || '; COMMIT'; RETURN NEXT;
    command := 'CALL pg_tviews_drain()'; RETURN NEXT;
    command := format('SELECT judge(%L, %L, NULL)', 'one transaction', entities); RETURN NEXT;

    command := restore; RETURN NEXT;
    FOREACH step IN ARRAY steps LOOP
        command := 'BEGIN; ' || step || '; COMMIT'; RETURN NEXT;
        command := 'CALL pg_tviews_drain()'; RETURN NEXT;
        command := format('SELECT judge(%L, %L, %L)', 'drained', entities, step); RETURN NEXT;
    END LOOP;

    FOR command IN SELECT format('DROP TABLE %I', 'saved_' || t) FROM unnest(tables) AS t LOOP
        RETURN NEXT;
    END LOOP;
    FOR command IN
        SELECT format('DO $do$ BEGIN PERFORM pg_tviews_drop(%L); END $do$', entity)
          FROM string_to_table(entities, ',') WITH ORDINALITY AS e (entity, position) ORDER BY position DESC
    LOOP
        RETURN NEXT;
    END LOOP;
    command := 'SELECT judge_dropped()'; RETURN NEXT;
END $$;

-- How a command fails, all that a user sees. What it did until then is rolled back.
CREATE FUNCTION error_of(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    state   text;
    message text;
    detail  text;
    hint    text;
BEGIN
    EXECUTE command;
    RETURN NEXT 'NO ERROR: ' || command;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT command;
    RETURN NEXT format('    %s: %s', state, message);
    IF detail <> '' THEN RETURN NEXT '    DETAIL: ' || detail; END IF;
    IF hint <> '' THEN RETURN NEXT '    HINT: ' || hint; END IF;
END $$;

-- What the extension has registered or put on tables, in the schemas of the search_path but public. Guards belong to TVIEWs.
CREATE VIEW traces AS
WITH here AS (SELECT pg_class.* , pg_class.oid::regclass::text AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
               WHERE nspname = ANY (current_schemas(false)) AND nspname <> 'public')
SELECT 'TVIEW' AS kind, name FROM here JOIN pg_tview_meta ON tview_oid = here.oid
UNION ALL
SELECT 'trigger', name || ' ' || tgname FROM here JOIN pg_trigger ON tgrelid = here.oid WHERE tgname LIKE 'pg_tviews%'
   AND NOT (tgname LIKE 'pg_tviews_guard%' AND EXISTS (SELECT FROM pg_tview_meta WHERE tview_oid = here.oid))
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, name FROM here WHERE relkind IN ('r', 'v', 'p', 'm') AND relname ~ '^(tv|v)_';
