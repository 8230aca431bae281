//! What a TVIEW's rows depend on beyond the rows of its sources, as a checksum: when it differs from the registered
//! one, the TVIEW is registered anew and reconciled.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys::{self, Oid};

use super::texts::Shape;
use crate::lineage::Lineage;
use crate::postgres::query_tree::Select;
use crate::postgres::spi::{self, Access, Value};

/// What the functions that the views call by name contain, as a checksum. Functions called by these are not seen.
fn function_bodies(lineage: &Lineage, view: Oid) -> Option<String> {
    let views: Vec<Oid> = lineage.views.iter().copied().chain([view]).collect();
    let rows = spi::run(
        "SELECT md5(string_agg(concat_ws(':', p.oid, p.prosrc, p.probin, p.prosqlbody, p.proconfig), ',' ORDER BY p.oid))
           FROM pg_catalog.pg_proc p
          WHERE p.oid IN (SELECT d.refobjid FROM pg_catalog.pg_rewrite r
                            JOIN pg_catalog.pg_depend d
                              ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
                             AND d.refclassid = 'pg_catalog.pg_proc'::regclass
                           WHERE r.ev_class = ANY ($1))",
        Access::Current,
        &[(pg_sys::OIDARRAYOID, Value::of(views))],
    );
    rows.one::<String>()
}

/// Fingerprint of view, columns, lineage, partitions and functions: differs after a redefinition.
pub fn fingerprint(shape: &Shape, lineage: &Lineage, view: Oid) -> String {
    let mut hasher = DefaultHasher::new();
    function_bodies(lineage, view).hash(&mut hasher);
    Select::of_view(view).sql().hash(&mut hasher);
    format!("{shape:?}").hash(&mut hasher);
    let mut views: Vec<Oid> = lineage.views.iter().copied().collect();
    views.sort_by_key(|view| view.to_u32());
    for view in views {
        Select::of_view(view).sql().hash(&mut hasher);
    }
    for source in &lineage.sources {
        source.relation.to_u32().hash(&mut hasher);
        source.captured().hash(&mut hasher);
        source.watched.hash(&mut hasher);
        // Rows come and go with a partition without any trigger.
        let partitions: Vec<u32> = source.partitions.iter().map(|oid| oid.to_u32()).collect();
        partitions.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
