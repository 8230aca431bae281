-- The argument of a trigger, if the trigger fires on the table and on all of its partitions. Parameters: 1
-- the table, 2 the trigger.
SELECT convert_from(substring(tgargs FROM 1 FOR octet_length(tgargs) - 1), getdatabaseencoding())
  FROM pg_catalog.pg_trigger
 WHERE tgrelid = $1 AND tgname = $2 AND tgenabled = 'A' AND tgnargs = 1
   -- The copies on partitions can be disabled one by one.
   AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree($1) tree
                     JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.relid
                    WHERE t.tgname = $2 AND t.tgenabled <> 'A')
