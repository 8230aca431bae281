//! ProcessUtility: acts before and after the few statements that affect pg_tviews. All others are passed on
//! as if the hook were not installed, errors included: a Rust guard would remove the cursor position and the
//! constraint name from an error.

use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_sys::{self, Oid};

use super::table_as::{self, TableAs};
use super::utility_call::{self, Call};
use super::{copy_from, copy_to, create_view, executor};
use crate::postgres::extension;
use crate::postgres::versions::ownership;

/// Functions that are called before and after statements.
pub struct Handlers {
    /// Before a command that needs a database without connections.
    pub before_exclusive_use: fn(Oid),
    /// After a command that adds, removes or changes a database.
    pub databases_changed: fn(),
    /// After COMMIT PREPARED.
    pub prepared_committed: fn(),
    /// After CREATE or ALTER EXTENSION, if pg_tviews exists now.
    pub extension_changed: fn(),
    /// After a command that has dropped pg_tviews.
    pub extension_dropped: fn(),
    /// After a command that changes roles, or (true) the owners of objects.
    pub rights_changed: fn(bool),
    /// The query to copy instead of a table, for previews: its columns, all if none are named. None: the
    /// table itself.
    pub query_to_copy: fn(Oid, &[String]) -> Option<String>,
    /// Instead of CREATE TABLE AS for a new table `tv_...`, where the extension exists: makes a TVIEW; returns how many
    /// rows its table has.
    pub create_table_as: fn(TableAs) -> u64,
}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

/// A statement to act on.
enum Statement {
    /// Needs the database without connections: DROP, RENAME, SET TABLESPACE, or being copied.
    WithoutWorkers(pg_sys::Oid),
    /// Adds, removes or changes a database; done when it returns.
    Database,
    /// Makes a prepared transaction visible.
    CommitPrepared,
    /// May have created or updated pg_tviews.
    Extension,
    /// May have dropped pg_tviews, or objects it depends on.
    Drop,
    /// Changes roles, or the owners of objects: no event trigger fires for these.
    Rights { owners: bool },
}

impl Statement {
    /// Before the statement runs.
    fn before(&self, handlers: &Handlers) {
        if let Statement::WithoutWorkers(database) = self {
            (handlers.before_exclusive_use)(*database);
        }
    }

    /// After the statement succeeded, inside its transaction.
    fn after(&self, handlers: &Handlers) {
        match self {
            Statement::WithoutWorkers(_) | Statement::Database => (handlers.databases_changed)(),
            Statement::CommitPrepared => (handlers.prepared_committed)(),
            Statement::Extension if extension::exists() => (handlers.extension_changed)(),
            // The extension is gone: its event triggers, which see what else is dropped, are, too.
            Statement::Drop if !extension::exists() => (handlers.extension_dropped)(),
            Statement::Extension | Statement::Drop => {}
            Statement::Rights { owners } => (handlers.rights_changed)(*owners),
        }
    }
}

/// Puts the hook in front of those already installed; call once per process, from `_PG_init`.
pub fn install(handlers: Handlers) {
    HANDLERS.get_or_init(|| handlers);
    table_as::install();
    utility_call::install(Some(process_utility));
}

/// Deliberately without `#[pg_guard]`: an ERROR of the statement jumps over this frame, which owns nothing.
/// Code of the extension that can raise or panic runs behind the guards of `before` and `after`.
unsafe extern "C-unwind" fn process_utility(
    pstmt: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
    read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    dest: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    let call = Call {
        pstmt,
        query,
        read_only,
        context,
        params,
        environment,
        dest,
        completion,
    };
    // SAFETY: the arguments are handed on as they came; this frame owns nothing.
    let next = |pstmt: *mut pg_sys::PlannedStmt| unsafe { call.pass_on(pstmt) };
    // SAFETY: PostgreSQL passes a valid statement; reading its tag raises nothing.
    if !unsafe { is_interesting(pstmt) } {
        return next(pstmt);
    }
    // SAFETY: as above.
    if unsafe { create_view::may_repeat_columns((*pstmt).utilityStmt) } {
        // SAFETY: as above; the copy lives in the memory of the running command.
        return next(unsafe { collapse(pstmt, query) });
    }
    // SAFETY: as above.
    if unsafe { table_as::may_make_tview((*pstmt).utilityStmt) } {
        // SAFETY: as above; the call has not returned.
        let made = unsafe { make_tview(&raw const call) };
        if !made {
            next(pstmt);
        }
        return;
    }
    // SAFETY: as above.
    if unsafe { copy_to::may_read_table((*pstmt).utilityStmt) } {
        // SAFETY: as above.
        return next(unsafe { query_for_copy(pstmt) });
    }
    // SAFETY: as above. The parse tree outlives the command.
    if unsafe { copy_from::may_be_watched((*pstmt).utilityStmt) } {
        // SAFETY: as above.
        unsafe { before_copy(pstmt) };
        next(pstmt);
        // SAFETY: takes no argument.
        return unsafe { after_copy() };
    }
    // Recognised before: the command may free its parse tree.
    let mut statement = None;
    // SAFETY: the statement is valid at this time, and the result for the whole call.
    unsafe {
        before(pstmt, context, &raw mut statement);
        next(pstmt);
        after(&raw const statement);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn collapse(
    pstmt: *mut pg_sys::PlannedStmt,
    query: *const std::ffi::c_char,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the caller recognised a CREATE VIEW.
    unsafe { create_view::without_repeated_columns(pstmt, query).unwrap_or(pstmt) }
}

/// Makes a TVIEW instead of a table; false if the statement is to run as it is.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn make_tview(call: *const Call) -> bool {
    // SAFETY: the call comes from `process_utility`, which recognised a CREATE TABLE AS.
    unsafe {
        let Some(handlers) = HANDLERS.get().filter(|_| table_as::makes_tviews()) else {
            return false;
        };
        let Some(statement) = table_as::TableAs::read(&*call) else {
            return false;
        };
        let rows = (handlers.create_table_as)(statement);
        table_as::complete((*call).completion, rows);
    }
    true
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn query_for_copy(pstmt: *mut pg_sys::PlannedStmt) -> *mut pg_sys::PlannedStmt {
    // SAFETY: the caller recognised a COPY of a table.
    HANDLERS
        .get()
        .and_then(|handlers| unsafe { copy_to::with_query(pstmt, handlers.query_to_copy) })
        .unwrap_or(pstmt)
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn before_copy(pstmt: *mut pg_sys::PlannedStmt) {
    // SAFETY: the caller recognised a COPY FROM.
    let table = unsafe { copy_from::table((*pstmt).utilityStmt) };
    executor::before_write(table.as_slice());
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn after_copy() {
    executor::after_write();
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn before(
    pstmt: *mut pg_sys::PlannedStmt,
    context: pg_sys::ProcessUtilityContext::Type,
    statement: *mut Option<Statement>,
) {
    // SAFETY: both pointers come from `process_utility` and are valid there.
    let recognised = unsafe { recognise((*pstmt).utilityStmt, context) };
    if let (Some(statement), Some(handlers)) = (&recognised, HANDLERS.get()) {
        statement.before(handlers);
    }
    // SAFETY: as above.
    unsafe { *statement = recognised };
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn after(statement: *const Option<Statement>) {
    // SAFETY: the pointer comes from `process_utility` and is valid there.
    if let (Some(statement), Some(handlers)) = (unsafe { &*statement }, HANDLERS.get()) {
        statement.after(handlers);
    }
}

/// A comparison of tags: cheap, as every utility statement is checked.
unsafe fn is_interesting(pstmt: *mut pg_sys::PlannedStmt) -> bool {
    // SAFETY: every node starts with its tag; the transaction statement has the layout its tag says.
    unsafe {
        let node = (*pstmt).utilityStmt;
        match (*node).type_ {
            pg_sys::NodeTag::T_TransactionStmt => {
                (*node.cast::<pg_sys::TransactionStmt>()).kind
                    == pg_sys::TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED
            }
            pg_sys::NodeTag::T_ViewStmt => create_view::may_repeat_columns(node),
            pg_sys::NodeTag::T_CreateTableAsStmt | pg_sys::NodeTag::T_ExplainStmt => {
                table_as::may_make_tview(node)
            }
            pg_sys::NodeTag::T_CopyStmt => copy_to::may_read_table(node) || copy_from::may_be_watched(node),
            pg_sys::NodeTag::T_DropdbStmt
            | pg_sys::NodeTag::T_CreatedbStmt
            | pg_sys::NodeTag::T_AlterDatabaseStmt
            | pg_sys::NodeTag::T_CreateExtensionStmt
            | pg_sys::NodeTag::T_AlterExtensionStmt
            | pg_sys::NodeTag::T_DropOwnedStmt
            | pg_sys::NodeTag::T_ReassignOwnedStmt
            | pg_sys::NodeTag::T_AlterRoleStmt
            | pg_sys::NodeTag::T_GrantRoleStmt
            | pg_sys::NodeTag::T_DropStmt => true,
            pg_sys::NodeTag::T_RenameStmt => matches!(
                (*node.cast::<pg_sys::RenameStmt>()).renameType,
                pg_sys::ObjectType::OBJECT_DATABASE | pg_sys::ObjectType::OBJECT_ROLE
            ),
            _ => false,
        }
    }
}

unsafe fn recognise(
    node: *mut pg_sys::Node,
    context: pg_sys::ProcessUtilityContext::Type,
) -> Option<Statement> {
    // SAFETY: each node is read with the layout its tag says.
    unsafe {
        Some(match (*node).type_ {
            pg_sys::NodeTag::T_TransactionStmt => Statement::CommitPrepared,
            pg_sys::NodeTag::T_CreateExtensionStmt | pg_sys::NodeTag::T_AlterExtensionStmt => {
                Statement::Extension
            }
            pg_sys::NodeTag::T_DropStmt => {
                let statement = node.cast::<pg_sys::DropStmt>();
                let extension = (*statement).removeType == pg_sys::ObjectType::OBJECT_EXTENSION;
                let cascade = (*statement).behavior == pg_sys::DropBehavior::DROP_CASCADE;
                (extension || cascade).then_some(Statement::Drop)?
            }
            pg_sys::NodeTag::T_ReassignOwnedStmt => Statement::Rights { owners: true },
            pg_sys::NodeTag::T_DropOwnedStmt | pg_sys::NodeTag::T_GrantRoleStmt => {
                Statement::Rights { owners: false }
            }
            pg_sys::NodeTag::T_RenameStmt
                if (*node.cast::<pg_sys::RenameStmt>()).renameType == pg_sys::ObjectType::OBJECT_ROLE =>
            {
                Statement::Rights { owners: true }
            }
            pg_sys::NodeTag::T_AlterRoleStmt => {
                // Anybody may change his own password.
                let options = (*node.cast::<pg_sys::AlterRoleStmt>()).options;
                let matter = [c"superuser", c"bypassrls", c"inherit", c"rolemembers"];
                matter.into_iter().find_map(|name| option(options, name))?;
                Statement::Rights { owners: false }
            }
            _ => {
                let alone = context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL
                    && !pg_sys::IsTransactionBlock();
                let database = database_without_connections(node)?.filter(|_| alone);
                let database = database.and_then(|name| database_of_user(name));
                database.map_or(Statement::Database, Statement::WithoutWorkers)
            }
        })
    }
}

/// Of a statement about databases the name of the database that must have no connections, if it needs one.
/// None: it is no such statement.
///
/// # Safety
/// `node` is a valid utility statement, which outlives the name.
unsafe fn database_without_connections<'a>(node: *mut pg_sys::Node) -> Option<Option<&'a CStr>> {
    // SAFETY: each node is read with the layout its tag says; names in it are null or NUL-terminated.
    unsafe {
        let name = match (*node).type_ {
            pg_sys::NodeTag::T_DropdbStmt => (*node.cast::<pg_sys::DropdbStmt>()).dbname.cast_const(),
            pg_sys::NodeTag::T_RenameStmt => (*node.cast::<pg_sys::RenameStmt>()).subname.cast_const(),
            pg_sys::NodeTag::T_AlterDatabaseStmt => {
                let statement = node.cast::<pg_sys::AlterDatabaseStmt>();
                let moved = option((*statement).options, c"tablespace");
                moved.map_or(std::ptr::null(), |_| (*statement).dbname.cast_const())
            }
            pg_sys::NodeTag::T_CreatedbStmt => {
                let template = option((*node.cast::<pg_sys::CreatedbStmt>()).options, c"template")
                    .filter(|option| !(**option).arg.is_null());
                template.map_or(c"template1".as_ptr(), |template| {
                    pg_sys::defGetString(template).cast_const()
                })
            }
            _ => return None,
        };
        Some((!name.is_null()).then(|| CStr::from_ptr(name)))
    }
}

/// The database of that name, if the user owns it. Without that right the command will fail, and workers must
/// not end for it.
unsafe fn database_of_user(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: catalog lookups inside the transaction of the statement.
    unsafe {
        let database = pg_sys::get_database_oid(name.as_ptr(), true);
        let owned = database != pg_sys::InvalidOid && ownership::owns_database(pg_sys::GetUserId(), database);
        owned.then_some(database)
    }
}

/// The option of that name in a list of DefElem.
unsafe fn option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: a null or valid list whose elements the grammar made DefElem, each with a name.
    unsafe {
        let length = if options.is_null() { 0 } else { (*options).length };
        (0..length as usize)
            .map(|index| {
                (*(*options).elements.add(index))
                    .ptr_value
                    .cast::<pg_sys::DefElem>()
            })
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}
