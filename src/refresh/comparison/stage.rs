//! The stage of a TVIEW that was redefined: a table of the extension for the rows of the new definition. The comparison in
//! batches writes it, and changes meanwhile are applied to it. The tv table keeps the old rows until all new ones are there.
//!
//! ```text
//! redefined, and not done at once -> stage -> batches, changes -> the last batch: the stage replaces the rows of the table
//!    | the stage is lost: a crash, another owner, other columns  -> from the beginning, with another stage
//!    | the rows cannot be replaced in one transaction            -> from the beginning, in batches that write the table
//!    | the TVIEW is dropped, or redefined again                  -> dropped
//! ```

use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};

use super::{stage_table, state};
use crate::error::{OrRaise, Problem};
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::refresh::current::Now;
use crate::refresh::failing::classes;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::staged::Staged;
use crate::refresh::plan::Plan;
use crate::wake::server_run;
use crate::{settings, statement};

/// The stage cannot be used any more.
pub struct Lost;

impl Refresh<'_> {
    /// The statements for the stage that the comparison in progress writes; None if it writes the tv table.
    pub fn find_stage(&self, plan: &Plan, now: &Now) -> Result<Option<Rc<Staged>>, Lost> {
        self.redefines.set(false);
        let Some(stage) = now.stage else {
            return Ok(None);
        };
        let is_valid = stage.server_run == Some(server_run::number())
            && settings::redefines_by_stage()
            && may_be_used(plan, Some(stage.table));
        let staged = is_valid.then(|| plan.staged(stage.table).or_raise()).flatten();
        // A row that fails leaves all old rows.
        self.redefines.set(staged.is_some());
        staged.map(Some).ok_or(Lost)
    }

    /// The same at the begin of an attempt. If the stage is lost, so is the comparison that has filled it.
    pub fn note_stage(&self, plan: &Plan, now: &mut Now) -> Option<Rc<Staged>> {
        let found = self.find_stage(plan, now);
        self.stage_lost.set(found.is_err());
        if found.is_err() {
            now.comparing = None;
        }
        let staged = found.unwrap_or(None);
        self.staged.replace(staged.clone());
        staged
    }
}

/// Creates the stage of a TVIEW, for the comparison that has begun. False if its owner cannot use one, or other objects in
/// the schema of the extension have all its names. Inside an SPI session.
pub fn create(plan: &Plan) -> bool {
    let tview = plan.definition.tview;
    if !settings::redefines_by_stage() || extension::is_before_0_3() || !may_be_used(plan, None) {
        return false;
    }
    let Some(schema) = extension::schema() else {
        return false;
    };
    stage_table::drop_of(tview);
    let create = || {
        let stage = stage_table::create(plan, schema);
        if let Some(stage) = stage {
            state::write_to(tview, stage, server_run::number());
        }
        stage.is_some()
    };
    match transaction::attempt(|| run_internal(create)) {
        Ok(created) => created,
        Err(error) if classes::is_in_the_way(&error) => error.raise(),
        Err(error) => {
            let (tview, why) = (plan.definition.display(), error.message);
            pgrx::log!("pg_tviews: no stage for {tview}, its rows are compared in batches: {why}");
            false
        }
    }
}

/// Whether the owner of the TVIEW may use stages, or this one.
fn may_be_used(plan: &Plan, stage: Option<Oid>) -> bool {
    let args = [
        (pg_sys::OIDOID, Value::of(plan.definition.owner)),
        (pg_sys::OIDOID, Value::of(extension::schema())),
        (pg_sys::OIDOID, Value::of(stage)),
    ];
    run_internal(|| spi::run(&statement!("stage_may_be_used"), Access::Current, &args).one::<bool>())
        == Some(true)
}

/// Where a row of the new definition has no place, all rows are to stay as they are.
pub fn keep_old_rows(problem: &mut Option<Problem>) {
    if let Some(problem) = problem.take_if(|problem| classes::keeps_old_rows(problem)) {
        problem.raise();
    }
}
