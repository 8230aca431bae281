-- Tables of the extension that the running command has renamed, moved to another schema or given other
-- columns. Scripts of the extension itself are excluded.
SELECT c.objid
  FROM pg_catalog.pg_event_trigger_ddl_commands() c
  JOIN pg_catalog.pg_class r ON r.oid = c.objid AND r.relkind = 'r'
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = r.oid AND d.objsubid = 0
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
  JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tviews'
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_class n
                                     WHERE n.relname = 'pg_tview_running' AND n.relnamespace = e.extnamespace)) v(since_0_3)
 WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND NOT c.in_extension
   AND (r.relnamespace <> e.extnamespace
        OR NOT EXISTS (
            SELECT FROM (VALUES
                ('pg_tview_definition',
                 '{entity_name,tview_oid,view_oid,key_columns,fk_columns,max_latency,state,created_at,view_schema,view_name,view_created,source_oids,pinned_settings,definition_hash,table_created}'::text[]
                 || CASE WHEN since_0_3 THEN '{feed,throttle_lag,refresh_group,strategies}'::text[] END),
                ('pg_tview_queue',
                 '{xid,source_oid,operation,keys,enqueued_at}'::text[]
                 || CASE WHEN since_0_3 THEN '{net,origin}'::text[] END),
                ('pg_tview_meta_audit',
                 '{audit_id,entity_name,tview_oid,operation,status,changes_read,keys_refreshed,rows_inserted,rows_updated,rows_deleted,rows_unchanged,oldest_change_at,started_at,finished_at,worker_pid,sqlstate,message,details,position,total_refreshes,total_rows_written}'::text[]
                 || CASE WHEN since_0_3 THEN '{origins}'::text[] END),
                ('pg_tview_backlog_part',
                 '{tview_oid,part,keys,before,worker_pid,finished_at,rows_inserted,rows_updated,rows_deleted,rows_unchanged}'),
                ('pg_tview_running', '{tview_oid,level,key,rows,state,moved_at}'),
                ('pg_tview_running_position', '{tview_oid,position,levels,helped}'),
                ('pg_tview_verification',
                 '{tview_oid,definition_hash,method,begun_at,walking,verified_to,keys_at_once,rows,slow_rows,slow_keys,not_before,suspects,later_suspects,more_suspects,attempts,unseen,unverified_because,verified_at,verified_rows,unverified_rows,drifted_keys,drifted_at}'),
                ('pg_tview_change',
                 '{change_id,xid,tview_oid,entity_name,operation,keys,origins,audit_id,changed_at}'),
                ('pg_tview_subscription', '{subscription_id,consumer,owner,names,entities,tviews,subscribed_at}'),
                ('pg_tview_acknowledgement',
                 '{acknowledgement_id,subscription_id,position,upto,upto_xid,upto_change_id,upto_key,acknowledged_at}'),
                ('pg_tview_lost_consumer', '{subscription_id,lost_at}'),
                ('pg_tview_revision', '{tview_oid,revision}'),
                ('pg_tview_comparison',
                 '{tview_oid,populates,by_range,compared_to,keys_at_once,held_keys,oldest_xid,oldest_change_at,changes_read,again_xid,again_change_at,again_changes,started_at,batches,rows_expected,rows_inserted,rows_updated,rows_deleted,rows_unchanged,sqlstate,message,details}'),
                ('pg_tview_dead_letter',
                 '{entity_name,tview_oid,key,sqlstate,message,attempts,first_failed_at,last_failed_at,next_retry_at}')) own (name, columns)
             WHERE own.name = r.relname
               AND own.columns = (SELECT array_agg(a.attname::text ORDER BY a.attnum)
                                    FROM pg_catalog.pg_attribute a
                                   WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped)))
