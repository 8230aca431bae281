//! `CREATE TABLE tv_post AS SELECT ...` asks for a TVIEW. Nothing is decided by the text of the statement: PostgreSQL has
//! parsed and analysed it, and the query of the TVIEW is written from the analysed tree.
//!
//! The table itself is created by the statement as PostgreSQL executes it, without rows and from the backing view. So storage
//! parameters, tablespaces, access methods, event triggers and the hooks of other libraries have the effect they always have.

use std::ffi::{c_char, c_void, CStr, CString};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Oid};
use pgrx::{pg_guard, PgSqlErrorCode};

use super::utility_call::Call;
use crate::error::Problem;
use crate::postgres::query_tree::lists::{pointers, string};
use crate::postgres::query_tree::Select;
use crate::postgres::{extension, process, quote, run_as, schema};
use crate::settings;

/// Whether the library was there when the session began.
static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

/// Notes when the library was loaded; call once per process, from `_PG_init`. A library that is loaded in the middle of a
/// session would act on some statements of a script and not on others.
pub fn install() {
    // SAFETY: plain variables of this process. No statement has come yet if there is no text of one.
    let before_statements = unsafe {
        pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND && pg_sys::debug_query_string.is_null()
    };
    IS_PRELOADED.store(process::preloading() || before_statements, Relaxed);
}

/// Whether such a statement makes a TVIEW in this session.
pub fn makes_tviews() -> bool {
    IS_PRELOADED.load(Relaxed) && settings::create_table_as() && is_of_user()
}

/// Whether such a statement asks for a TVIEW and does not get one: the library was loaded too late.
pub fn is_missed() -> bool {
    !IS_PRELOADED.load(Relaxed) && settings::create_table_as() && is_of_user()
}

/// Whether a user asks: not the script of another extension, not replication, not code behind a view.
fn is_of_user() -> bool {
    // SAFETY: plain variables of this process.
    let replays = unsafe {
        pg_sys::creating_extension
            || pg_sys::SessionReplicationRole == pg_sys::SESSION_REPLICATION_ROLE_REPLICA as i32
    };
    !replays && !run_as::at_own_work()
}

/// What a statement has that a TVIEW cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    SelectInto,
    Temporary,
    ColumnNames,
    NoData,
    Execute,
    Parameters,
    /// A transition table of a trigger.
    TransitionTable,
    ExplainAnalyze,
}

/// A statement that asks for a TVIEW.
pub struct TableAs {
    pub schema: String,
    pub table: String,
    /// The query as SQL, to be read under the search_path of the session.
    pub query: Result<String, Unfit>,
    call: Call,
}

/// Whether a statement may ask for a TVIEW, by its parse tree alone.
///
/// # Safety
/// `node` is a valid utility statement.
pub unsafe fn may_make_tview(node: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller promises.
    unsafe { statement(node).is_some_and(|statement| is_of_tview((*(*statement).into).rel)) }
}

/// The CREATE TABLE AS of a statement, or of an EXPLAIN.
///
/// # Safety
/// `node` is a valid utility statement.
unsafe fn statement(node: *mut pg_sys::Node) -> Option<*mut pg_sys::CreateTableAsStmt> {
    // SAFETY: each node is read with the layout its tag says.
    unsafe {
        let node = match (*node).type_ {
            pg_sys::NodeTag::T_ExplainStmt => {
                let query = (*node.cast::<pg_sys::ExplainStmt>())
                    .query
                    .cast::<pg_sys::Query>();
                let is_query = !query.is_null() && (*query).type_ == pg_sys::NodeTag::T_Query;
                is_query
                    .then(|| (*query).utilityStmt)
                    .filter(|node| !node.is_null())?
            }
            _ => node,
        };
        let statement = node.cast::<pg_sys::CreateTableAsStmt>();
        ((*node).type_ == pg_sys::NodeTag::T_CreateTableAsStmt
            && (*statement).objtype == pg_sys::ObjectType::OBJECT_TABLE)
            .then_some(statement)
    }
}

/// Whether a table has the name of one of a TVIEW. Allocates nothing: called without a guard.
///
/// # Safety
/// `table` comes from the parser.
unsafe fn is_of_tview(table: *const pg_sys::RangeVar) -> bool {
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr((*table).relname) }.to_bytes();
    name.len() > 3 && name.starts_with(b"tv_")
}

impl TableAs {
    /// What a statement asks for. None if the statement is to run as it is: the extension does not exist, the table does, or
    /// the statement fails anyhow.
    ///
    /// # Safety
    /// The call is one of a statement of [`may_make_tview`], inside a transaction, and has not returned.
    pub unsafe fn read(call: &Call) -> Option<TableAs> {
        // SAFETY: as the caller promises. The nodes come from the parser.
        unsafe {
            let node = (*call.pstmt).utilityStmt;
            let is_explain = (*node).type_ == pg_sys::NodeTag::T_ExplainStmt;
            let only_shows = is_explain && !is_analyze((*node.cast::<pg_sys::ExplainStmt>()).options);
            let cannot_write =
                pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() || pg_sys::IsInParallelMode();
            if only_shows || cannot_write || !extension::installed() {
                return None;
            }
            let statement = &*statement(node)?;
            let into = &*statement.into;
            let place = place_of(into.rel);
            if place.is_some_and(|schema| exists((*into.rel).relname, schema)) {
                return None;
            }
            let query = statement.query.cast::<pg_sys::Query>();
            Some(TableAs {
                schema: place.and_then(schema::name).unwrap_or_else(|| "pg_temp".into()),
                table: string((*into.rel).relname),
                query: match unfit(statement, into, place.is_none(), is_explain) {
                    Some(unfit) => Err(unfit),
                    None => Ok(Select::from_node(query.cast()).sql()),
                },
                call: *call,
            })
        }
    }

    /// The name of the table as SQL.
    pub fn name(&self) -> String {
        format!(
            "{}.{}",
            quote::identifier(&self.schema),
            quote::identifier(&self.table)
        )
    }

    /// Executes the statement, with the columns of the view and without rows. `fill_factor`: if the statement names none.
    pub fn create_empty(&self, view: &str, fill_factor: i32) {
        let sql = format!("SELECT * FROM {view}");
        let query = Select::analyse(&sql).unwrap_or_else(|| unreadable(view).raise());
        let schema = CString::new(self.schema.as_str()).unwrap_or_default();
        // SAFETY: the call has not returned, see `read`. The copy gets nodes of the layout that the grammar gives them, in the
        // memory of the running command. An ERROR of the statement becomes a panic at the boundary.
        unsafe {
            let copy = pg_sys::copyObjectImpl(self.call.pstmt.cast()).cast::<pg_sys::PlannedStmt>();
            let statement = (*copy).utilityStmt.cast::<pg_sys::CreateTableAsStmt>();
            let into = (*statement).into;
            (*statement).query = query.as_node();
            (*into).skipData = true;
            // One that has appeared meanwhile is another one.
            (*statement).if_not_exists = false;
            (*(*into).rel).schemaname = pg_sys::pstrdup(schema.as_ptr());
            let options = pointers::<pg_sys::DefElem>((*into).options);
            let sets = |option: &*mut pg_sys::DefElem| {
                (**option).defnamespace.is_null() && string((**option).defname) == "fillfactor"
            };
            if !options.iter().any(sets) {
                let value = pg_sys::makeInteger(fill_factor).cast();
                let name = pg_sys::pstrdup(c"fillfactor".as_ptr());
                let option = pg_sys::makeDefElem(name, value, -1);
                (*into).options = pg_sys::lappend((*into).options, option.cast());
            }
            let call = self.call;
            pg_guard_ffi_boundary(|| call.pass_on(copy));
        }
    }
}

fn unreadable(view: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        format!("{view} cannot be read"),
    )
}

/// The schema in which the table would be created; None if the table is temporary.
///
/// # Safety
/// `table` comes from the parser.
unsafe fn place_of(table: *const pg_sys::RangeVar) -> Option<Oid> {
    // SAFETY: as the caller promises; catalog look-ups inside a transaction.
    unsafe {
        if (*table).relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP {
            return None;
        }
        let schema = pg_sys::RangeVarGetCreationNamespace(table);
        (!pg_sys::isAnyTempNamespace(schema)).then_some(schema)
    }
}

/// # Safety
/// `name` is a C string.
unsafe fn exists(name: *const c_char, schema: Oid) -> bool {
    // SAFETY: as the caller promises; a catalog look-up inside a transaction.
    unsafe { pg_sys::get_relname_relid(name, schema) != Oid::INVALID }
}

/// # Safety
/// The options of an EXPLAIN.
unsafe fn is_analyze(options: *mut pg_sys::List) -> bool {
    // SAFETY: as the caller promises: the grammar made DefElem nodes.
    unsafe {
        let options = pointers::<pg_sys::DefElem>(options).into_iter();
        let mut analyze = options.filter(|option| string((**option).defname) == "analyze");
        analyze
            .next_back()
            .is_some_and(|option| pg_sys::defGetBoolean(option))
    }
}

/// # Safety
/// The statement is analysed.
unsafe fn unfit(
    statement: &pg_sys::CreateTableAsStmt,
    into: &pg_sys::IntoClause,
    is_temporary: bool,
    is_explain: bool,
) -> Option<Unfit> {
    // SAFETY: the query of an analysed statement is a Query.
    let query = unsafe { &*statement.query.cast::<pg_sys::Query>() };
    if is_explain {
        Some(Unfit::ExplainAnalyze)
    } else if is_temporary {
        Some(Unfit::Temporary)
    } else if statement.is_select_into {
        Some(Unfit::SelectInto)
    } else if query.commandType == pg_sys::CmdType::CMD_UTILITY {
        Some(Unfit::Execute)
    } else if !into.colNames.is_null() {
        Some(Unfit::ColumnNames)
    } else if into.skipData {
        Some(Unfit::NoData)
    } else {
        let mut found = None;
        // SAFETY: the walker reads the tree; what it is given outlives the walk.
        unsafe { walker(statement.query, (&raw mut found).cast()) };
        found
    }
}

/// Finds what exists only while the statement runs.
#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let found = context.cast::<Option<Unfit>>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let flags = pg_sys::QTW_EXAMINE_RTES_BEFORE as i32;
                return pg_sys::query_tree_walker(node.cast(), Some(walker), context, flags);
            }
            pg_sys::NodeTag::T_RangeTblEntry => {
                if (*node.cast::<pg_sys::RangeTblEntry>()).rtekind == pg_sys::RTEKind::RTE_NAMEDTUPLESTORE {
                    *found = Some(Unfit::TransitionTable);
                }
                return (*found).is_some();
            }
            pg_sys::NodeTag::T_Param => {
                if (*node.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXTERN {
                    *found = Some(Unfit::Parameters);
                }
                return (*found).is_some();
            }
            _ => {}
        }
        pg_sys::expression_tree_walker(node, Some(walker), context)
    }
}

/// Reports that many rows, as the command does.
///
/// # Safety
/// `completion` is null or that of the running command.
pub unsafe fn complete(completion: *mut pg_sys::QueryCompletion, rows: u64) {
    // SAFETY: as the caller promises.
    if let Some(completion) = unsafe { completion.as_mut() } {
        completion.commandTag = pg_sys::CommandTag::CMDTAG_SELECT;
        completion.nprocessed = rows;
    }
}
