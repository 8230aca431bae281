//! What a TVIEW's rows depend on beyond the rows of its sources, as a checksum: when it differs from the registered
//! one, the TVIEW is registered anew and reconciled.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys::{self, Oid};

use super::texts::Shape;
use crate::catalog::columns;
use crate::catalog::definition::Definition;
use crate::lineage::Lineage;
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Value};

/// What the functions that the views call contain, and the functions PostgreSQL knows these to call (aggregates, operators,
/// SQL-standard bodies), as a checksum. What a body given as text calls is not seen.
fn function_bodies(views: &[Oid]) -> Option<String> {
    let rows = spi::run(
        "WITH RECURSIVE called(class, oid) AS (
             SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_rewrite r
               JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
              WHERE r.ev_class = ANY ($1)
                AND d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
             UNION
             SELECT d.refclassid, d.refobjid FROM called
               JOIN pg_catalog.pg_depend d ON d.classid = called.class AND d.objid = called.oid
              WHERE d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass))
         SELECT md5(string_agg(concat_ws(':', p.oid, p.prosrc, p.probin, p.prosqlbody, p.proconfig), ',' ORDER BY p.oid))
           FROM called JOIN pg_catalog.pg_proc p ON p.oid = called.oid
          WHERE called.class = 'pg_catalog.pg_proc'::regclass",
        Access::Current,
        &[(pg_sys::OIDARRAYOID, Value::of(views.to_vec()))],
    );
    rows.one::<String>()
}

/// With whose rights relations are read, and what row security hides, as a checksum.
fn rights(relations: Vec<Oid>) -> Option<String> {
    let rows = spi::run(
        "SELECT md5(string_agg(concat_ws(':', c.oid, c.relowner, CASE c.relkind WHEN 'v' THEN c.reloptions END,
                                         c.relrowsecurity, c.relforcerowsecurity, policies.texts), ',' ORDER BY c.oid))
           FROM pg_catalog.pg_class c
          CROSS JOIN LATERAL (
                SELECT string_agg(concat_ws(':', p.oid, p.polcmd, p.polpermissive, p.polroles, p.polqual), ',' ORDER BY p.oid)
                  FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) policies(texts)
          WHERE c.oid = ANY ($1)",
        Access::Current,
        &[(pg_sys::OIDARRAYOID, Value::of(relations))],
    );
    rows.one::<String>()
}

/// Fingerprint of view, columns, lineage, partitions, functions and rights: differs after a redefinition.
pub fn fingerprint(definition: &Definition, shape: &Shape, lineage: &Lineage, view: Oid) -> String {
    let mut hasher = DefaultHasher::new();
    let mut views: Vec<Oid> = lineage.views.iter().copied().chain([view]).collect();
    views.sort_by_key(|view| view.to_u32());
    views.dedup();
    function_bodies(&views).hash(&mut hasher);
    let sources = lineage.sources.iter().map(|source| source.relation);
    rights(
        views
            .iter()
            .copied()
            .chain(sources)
            .chain([definition.tview])
            .collect(),
    )
    .hash(&mut hasher);
    Select::of_view(view).sql().hash(&mut hasher);
    format!("{shape:?}").hash(&mut hasher);
    for view in views {
        Select::of_view(view).sql().hash(&mut hasher);
    }
    for source in &lineage.sources {
        source.relation.to_u32().hash(&mut hasher);
        source.captured().hash(&mut hasher);
        source.watched.hash(&mut hasher);
        if source.watched.is_none() {
            // A whole row has other columns after ALTER TABLE.
            format!("{:?}", columns::of(source.relation)).hash(&mut hasher);
        }
        // Rows come and go with a partition without any trigger.
        let partitions: Vec<u32> = source.partitions.iter().map(|oid| oid.to_u32()).collect();
        partitions.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
