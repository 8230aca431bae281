//! The groups of TVIEWs that a role may see, for `pg_tview_status`.

use std::collections::BTreeMap;

use pgrx::pg_sys::{self, Oid};

use super::consistent;
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::tview_cache;
use crate::error::Problem;
use crate::postgres::role::{current_role, has_rights_of, monitoring_role};
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// A member of a group.
pub struct Member {
    pub tview: Oid,
    pub group: String,
    /// Whether the members show the same moment.
    pub consistent: bool,
    /// The 50th and 95th percentile of the member that is slowest by that, in milliseconds.
    pub latency: [Option<f64>; 2],
}

thread_local! {
    static MEMBERS: SessionStatement = const { SessionStatement::new() };
    static LATENCY: SessionStatement = const { SessionStatement::new() };
}

/// The members of groups that the current role may see, as of the active snapshot.
pub fn members() -> Result<Vec<Member>, Problem> {
    let caller = current_role();
    let sees_all = has_rights_of(caller, monitoring_role());
    let mut groups: BTreeMap<(u32, String), Vec<Oid>> = BTreeMap::new();
    for (tview, group, owner) in grouped() {
        if sees_all || has_rights_of(caller, owner) {
            groups.entry((owner.to_u32(), group)).or_default().push(tview);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let known = tview_cache::all().map_err(Problem::from)?;
    let each = groups.into_iter().flat_map(|((_, group), tviews)| {
        let consistent = consistent::of(&tviews, &known);
        let latency = latency(&tviews);
        tviews.into_iter().map(move |tview| Member {
            tview,
            group: group.clone(),
            consistent,
            latency,
        })
    });
    Ok(each.collect())
}

/// Each member with its group and its owner.
fn grouped() -> Vec<(Oid, String, Oid)> {
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let rows = MEMBERS.with(|read| {
                let read = read.get(|| statement!("group_members"), &[]);
                read.run(Access::Snapshot, &[], 0)
            });
            (0..rows.len())
                .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?, rows.get(row, 2)?)))
                .collect()
        })
    })
}

fn latency(tviews: &[Oid]) -> [Option<f64>; 2] {
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let rows = LATENCY.with(|read| {
                read.get(|| statement!("group_latency"), &[pg_sys::OIDARRAYOID])
                    .run(Access::Snapshot, &[Value::of(tviews.to_vec())], 1)
            });
            [rows.get(0, 0), rows.get(0, 1)]
        })
    })
}
