//! The plans that a process keeps: the most recently used ones, up to a total size.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::Plan;
use crate::postgres::process;
use crate::postgres::process::memory;
use crate::settings;

/// Plans grow while they are used: all are measured again after so many uses.
const USES: u64 = 64;

struct Kept {
    plan: Rc<Plan>,
    used: u64,
}

#[derive(Default)]
struct Cache {
    plans: HashMap<Oid, Kept>,
    uses: u64,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// The plan of a TVIEW, if one is kept and no object has changed that it was built from.
pub fn kept(tview: Oid) -> Option<Rc<Plan>> {
    let plan = CACHE.with_borrow_mut(|cache| {
        cache.uses += 1;
        let uses = cache.uses;
        let kept = cache.plans.get_mut(&tview)?;
        kept.used = uses;
        Some(kept.plan.clone())
    });
    if CACHE.with_borrow(|cache| cache.uses % USES == 0) {
        tidy();
    }
    plan.filter(|plan| plan.is_current())
}

/// Keeps a plan, in place of an earlier one.
pub fn keep(plan: &Rc<Plan>) {
    let replaced = CACHE.with_borrow_mut(|cache| {
        cache.uses += 1;
        let kept = Kept {
            plan: plan.clone(),
            used: cache.uses,
        };
        cache.plans.insert(plan.definition.tview, kept)
    });
    drop(replaced);
    tidy();
}

/// Drops a kept plan.
pub fn forget(tview: Oid) {
    drop(CACHE.with_borrow_mut(|cache| cache.plans.remove(&tview)));
}

/// Drops plans that no longer fit the catalogs; then the least recently used ones, until the rest fits the
/// maximum size.
pub fn tidy() {
    let size = if process::is_background_worker() {
        settings::worker_plan_cache_size()
    } else {
        settings::plan_cache_size()
    };
    let dropped = CACHE.with_borrow_mut(|cache| cache.take_superfluous(size));
    if dropped.is_empty() {
        return;
    }
    // After the cache was released: freeing a plan calls PostgreSQL.
    drop(dropped);
    memory::trim();
}

impl Cache {
    fn take_superfluous(&mut self, maximum: usize) -> Vec<Kept> {
        let idle = |kept: &Kept| Rc::strong_count(&kept.plan) == 1;
        let mut superfluous: Vec<Oid> = Vec::new();
        let mut rest: Vec<(u64, Oid, usize)> = Vec::new();
        for (tview, kept) in self.plans.iter().filter(|(_, kept)| idle(kept)) {
            if kept.plan.is_current() {
                rest.push((kept.used, *tview, kept.plan.memory()));
            } else {
                superfluous.push(*tview);
            }
        }
        let in_use = self.plans.values().filter(|kept| !idle(kept));
        let mut total: usize = in_use.map(|kept| kept.plan.memory()).sum();
        total += rest.iter().map(|(_, _, memory)| memory).sum::<usize>();
        rest.sort_unstable_by_key(|(used, _, _)| *used);
        for (_, tview, memory) in rest {
            if total <= maximum {
                break;
            }
            total -= memory;
            superfluous.push(tview);
        }
        superfluous
            .iter()
            .filter_map(|tview| self.plans.remove(tview))
            .collect()
    }
}
