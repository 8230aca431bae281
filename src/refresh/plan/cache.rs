//! The plans a process keeps: those used lately, as far as their size allows.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::Plan;
use crate::postgres::process;
use crate::postgres::process::memory;
use crate::settings;

/// Plans grow while they are used: after so many uses all are measured again.
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

/// The kept plan, if nothing it was built from has changed since.
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

/// Drops plans that do not fit the catalogs any more, and the longest unused ones until the others have room.
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
    // Not while the cache is borrowed: freeing a plan calls PostgreSQL.
    drop(dropped);
    memory::trim();
}

impl Cache {
    fn take_superfluous(&mut self, most: usize) -> Vec<Kept> {
        let idle = |kept: &Kept| Rc::strong_count(&kept.plan) == 1;
        let mut superfluous: Vec<Oid> = Vec::new();
        let mut rest: Vec<(u64, Oid, usize)> = Vec::new();
        for (tview, kept) in self.plans.iter().filter(|(_, kept)| idle(kept)) {
            match kept.plan.is_current() {
                true => rest.push((kept.used, *tview, kept.plan.memory())),
                false => superfluous.push(*tview),
            }
        }
        let in_use = self.plans.values().filter(|kept| !idle(kept));
        let mut total: usize = in_use.map(|kept| kept.plan.memory()).sum();
        total += rest.iter().map(|(_, _, memory)| memory).sum::<usize>();
        rest.sort_unstable_by_key(|(used, _, _)| *used);
        for (_, tview, memory) in rest {
            if total <= most {
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
