//! The functions in the conditions of a fresh view: which rows come from the table, and which from the view.
//!
//! ```text
//! SELECT .. FROM ONLY tv_post WHERE NOT behind(key)
//! UNION ALL                          -- if the rows that are behind can be listed: found by their keys
//! SELECT .. FROM v_post WHERE behind_by_list(key) AND behind(key) AND key = ANY (behind_keys())
//! UNION ALL                          -- if not, or if the query names the keys itself
//! SELECT .. FROM v_post WHERE behind_by_filter(key) AND behind(key)
//! ```
//!
//! [`planner`] decides which of the last two parts a query uses, [`Answers`] which rows are behind.

mod planner;

use std::rc::Rc;
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{PgMemoryContexts, PgSqlErrorCode};

use super::spi::Value;
use crate::error::Problem;

/// The table of a TVIEW has this alias in its fresh view.
pub const ALIAS: &str = "pg_tviews fresh";

/// Which rows of a TVIEW are behind in one snapshot. All answers agree with each other, in whatever order they
/// are asked for.
pub trait Answers {
    /// The types of the key columns in the view, without domains.
    fn key_types(&self) -> Vec<Oid>;
    /// Whether the row of this key is behind.
    fn is_behind(&self, key: &[Value]) -> bool;
    /// Whether any row may be behind.
    fn any(&self) -> bool;
    /// Whether some rows are behind, and [`Answers::keys`] lists them.
    fn are_listed(&self) -> bool;
    /// Whether any row may be behind, and their keys cannot be listed.
    fn are_unlisted(&self) -> bool;
    /// The values of a key column in the rows that are behind, as an array in the current memory context;
    /// empty where the keys cannot be listed.
    fn keys(&self, place: usize) -> Value;
    /// The type of that array; None where the keys are not known.
    fn array_type(&self, place: usize) -> Option<Oid>;
}

static LOOK: OnceLock<fn(Oid) -> Rc<dyn Answers>> = OnceLock::new();
static CHECK: OnceLock<fn(Oid, &str)> = OnceLock::new();

/// Sets what answers for a TVIEW in the active snapshot, and what raises an ERROR if the queries in a fresh
/// view are not those of the views below any more. Call once per process, from `_PG_init`.
pub fn register(look: fn(Oid) -> Rc<dyn Answers>, check: fn(Oid, &str)) {
    LOOK.get_or_init(|| look);
    CHECK.get_or_init(|| check);
}

/// What a call keeps while the statement runs.
struct Kept {
    tview: Oid,
    answers: Rc<dyn Answers>,
    /// The types of the arguments are those of the key.
    is_checked: bool,
    /// A key column, and its array.
    keys: Option<(usize, Datum)>,
}

macro_rules! declare {
    ($($name:ident)*) => {$(
        /// Declares to PostgreSQL how to call the function.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name() -> &'static pg_sys::Pg_finfo_record {
            const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }
    )*};
}

declare! {
    pg_finfo_pg_tviews_behind
    pg_finfo_pg_tviews_behind_by_list
    pg_finfo_pg_tviews_behind_by_filter
    pg_finfo_pg_tviews_behind_keys
    pg_finfo_pg_tviews_behind_query
    pg_finfo_pg_tviews_behind_support
}

/// Whether the row of a key is behind in the snapshot of the query; see `sql/install/fresh_views.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the function manager passes a valid call.
    unsafe {
        let kept = kept(fcinfo);
        if !kept.is_checked {
            check_types(fcinfo, &*kept.answers);
            kept.is_checked = true;
        }
        let arguments = (*fcinfo).args.as_slice((*fcinfo).nargs.max(0) as usize);
        let value = |argument: &pg_sys::NullableDatum| Value::of_datum(argument.value, argument.isnull);
        let key: Vec<Value> = arguments[1..].iter().map(value).collect();
        Datum::from(kept.answers.is_behind(&key))
    }
}

/// Whether rows that are behind are found by a list of their keys; see `sql/install/fresh_views.sql`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind_by_list(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as above.
    unsafe { Datum::from(kept(fcinfo).answers.are_listed()) }
}

/// Whether rows that are behind are found in the rows that the query asks for; see
/// `sql/install/fresh_views.sql`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind_by_filter(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as above; the second argument is a boolean.
    unsafe {
        let names_keys = argument(fcinfo, 1).is_some_and(|names| names.value() as u8 != 0);
        let answers = &kept(fcinfo).answers;
        Datum::from(if names_keys {
            answers.any()
        } else {
            answers.are_unlisted()
        })
    }
}

/// Values of a key column of rows that are behind, as an array; see `sql/install/fresh_views.sql`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind_keys(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as above. The array lives as long as the call is kept.
    unsafe {
        let kept = kept(fcinfo);
        let place = argument(fcinfo, 1).map_or(0, |place| place.value() as i32 as usize);
        if let Some((_, array)) = kept.keys.filter(|(of, _)| *of == place) {
            return array;
        }
        let returned = pg_sys::get_fn_expr_rettype((*fcinfo).flinfo);
        match kept.answers.array_type(place) {
            Some(of_key) if of_key == returned => {}
            Some(_) => not_the_key().raise(),
            None => return Datum::from(pg_sys::construct_empty_array(pg_sys::get_element_type(returned))),
        }
        let mut context = PgMemoryContexts::For((*(*fcinfo).flinfo).fn_mcxt);
        let array = context.switch_to(|_| kept.answers.keys(place)).datum();
        kept.keys = Some((place, array));
        array
    }
}

/// True; an ERROR if the queries in the fresh view are not those of the views below any more; see
/// `sql/install/fresh_views.sql`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind_query(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as above; the function is strict, and its second argument a text.
    unsafe {
        let tview = argument(fcinfo, 0).map_or(Oid::INVALID, |tview| Oid::from(tview.value() as u32));
        let query =
            argument(fcinfo, 1).and_then(|query| <String as pgrx::FromDatum>::from_datum(query, false));
        if let (Some(check), Some(query)) = (CHECK.get(), query) {
            check(tview, &query);
        }
        Datum::from(true)
    }
}

/// Answers the questions of the planner about these functions.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_behind_support(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the planner passes a request node.
    unsafe {
        let request = argument(fcinfo, 0).map_or(std::ptr::null_mut(), |request| request.cast_mut_ptr());
        Datum::from(planner::answer(request))
    }
}

unsafe fn argument(fcinfo: pg_sys::FunctionCallInfo, index: usize) -> Option<Datum> {
    // SAFETY: the call has `nargs` arguments.
    unsafe {
        let arguments = (*fcinfo).args.as_slice((*fcinfo).nargs.max(0) as usize);
        let argument = arguments.get(index)?;
        (!argument.isnull).then_some(argument.value)
    }
}

/// What the call keeps. The answers are those for the active snapshot of the first call: it is that of the
/// statement, which evaluates all its calls under it.
unsafe fn kept<'c>(fcinfo: pg_sys::FunctionCallInfo) -> &'c mut Kept {
    // SAFETY: what `fn_extra` points at lives as long as the memory context of the call.
    unsafe {
        let tview = argument(fcinfo, 0).map_or(Oid::INVALID, |tview| Oid::from(tview.value() as u32));
        let call = (*fcinfo).flinfo;
        let known = (*call).fn_extra.cast::<Kept>();
        if let Some(known) = known.as_mut().filter(|known| known.tview == tview) {
            return known;
        }
        let Some(look) = LOOK.get() else {
            pgrx::error!("the library of pg_tviews is not initialised")
        };
        let mut context = PgMemoryContexts::For((*call).fn_mcxt);
        let kept = context.leak_and_drop_on_delete(Kept {
            tview,
            answers: look(tview),
            is_checked: false,
            keys: None,
        });
        (*call).fn_extra = kept.cast();
        &mut *kept
    }
}

/// An error unless the arguments of a call are a key of the TVIEW.
unsafe fn check_types(fcinfo: pg_sys::FunctionCallInfo, answers: &dyn Answers) {
    // SAFETY: the expression of the call is that of a valid plan.
    unsafe {
        let call = (*fcinfo).flinfo;
        let given = 1..i32::from((*fcinfo).nargs);
        let given: Vec<Oid> = given
            .map(|place| pg_sys::getBaseType(pg_sys::get_fn_expr_argtype(call, place)))
            .collect();
        let expected = answers.key_types();
        if pg_sys::get_fn_expr_variadic(call) || (!expected.is_empty() && given != expected) {
            not_the_key().raise();
        }
    }
}

fn not_the_key() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        "these are not the key columns of the TVIEW",
    )
    .hint("Do not call this function yourself: select from the fresh view.")
}
