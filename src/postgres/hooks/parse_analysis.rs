//! Checks the statements of the extension after PostgreSQL has analysed them, see
//! [`named`](crate::postgres::named).

use std::collections::BTreeSet;
use std::ffi::{c_char, c_void, CStr};

use pgrx::pg_sys::{self, Oid};
use pgrx::{pg_guard, IntoDatum, PgSqlErrorCode};

use crate::error::Problem;
use crate::postgres::named::{self, Named};
use crate::postgres::relation;
use crate::postgres::role::{self, has_rights_of};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};

static mut NEXT: pg_sys::post_parse_analyze_hook_type = None;

/// Puts the hook behind those already installed; call once per process, from `_PG_init`.
pub fn install() {
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT = pg_sys::post_parse_analyze_hook;
        pg_sys::post_parse_analyze_hook = Some(analysed);
    }
}

/// Deliberately without `#[pg_guard]`: an ERROR of the next hook, or of the check, jumps over this frame,
/// which owns nothing.
unsafe extern "C-unwind" fn analysed(
    state: *mut pg_sys::ParseState,
    query: *mut pg_sys::Query,
    jumble: *mut pg_sys::JumbleState,
) {
    // SAFETY: PostgreSQL passes what it has just analysed; it is handed on as it came.
    unsafe {
        if let Some(next) = NEXT {
            next(state, query, jumble);
        }
        if !named::running().is_null() {
            check((*state).p_sourcetext, query);
        }
    }
}

/// Raises an ERROR if names in a statement of the extension were resolved to objects that they must not mean.
#[pg_guard]
unsafe extern "C-unwind" fn check(text: *const c_char, query: *mut pg_sys::Query) {
    let running = named::running();
    let Some(named) = named::expected().filter(|_| !text.is_null()) else {
        return;
    };
    // SAFETY: both are C strings: the one outlives the statement that runs, the other its analysis.
    if unsafe { CStr::from_ptr(text) != CStr::from_ptr(running) } {
        return;
    }
    let mut found = Found {
        named: &named,
        functions: BTreeSet::new(),
        relations: BTreeSet::new(),
    };
    // SAFETY: the walker reads the tree; what it is given outlives the walk.
    unsafe { walker(query.cast(), (&raw mut found).cast()) };
    if let Some(problem) = found.problem() {
        problem.raise();
    }
}

/// Objects that a statement uses and that are not expected.
struct Found<'a> {
    named: &'a Named,
    functions: BTreeSet<u32>,
    relations: BTreeSet<u32>,
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let query = node.cast::<pg_sys::Query>();
                // EXPLAIN has the query it explains in it.
                let command = (*query).utilityStmt;
                if !command.is_null() && (*command).type_ == pg_sys::NodeTag::T_ExplainStmt {
                    walker((*command.cast::<pg_sys::ExplainStmt>()).query, context);
                }
                let flags = pg_sys::QTW_EXAMINE_RTES_BEFORE as std::ffi::c_int;
                return pg_sys::query_tree_walker(query, Some(walker), context, flags);
            }
            pg_sys::NodeTag::T_RangeTblEntry => {
                let entry = node.cast::<pg_sys::RangeTblEntry>();
                if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION {
                    (*context.cast::<Found>()).relation((*entry).relid);
                }
                return false;
            }
            _ => {}
        }
        pg_sys::check_functions_in_node(node, Some(function), context);
        pg_sys::expression_tree_walker(node, Some(walker), context)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn function(function: Oid, context: *mut c_void) -> bool {
    // SAFETY: the context is the one that the walk was started with.
    unsafe {
        (*context.cast::<Found>()).function(function);
        false
    }
}

impl Found<'_> {
    fn relation(&mut self, relation: Oid) {
        add(&mut self.relations, relation, &self.named.relations);
    }

    fn function(&mut self, function: Oid) {
        add(&mut self.functions, function, &self.named.functions);
    }

    fn problem(&self) -> Option<Problem> {
        let relations = self.relations.iter().map(|relation| Oid::from(*relation));
        let functions = self.functions.iter().map(|function| Oid::from(*function));
        self.of_stranger(relations, relation::owner)
            .map(|(relation, owner)| {
                let name = relation::display(relation);
                self.refusal(format!("relation {name}"), owner)
            })
            .or_else(|| {
                let of_users = functions.filter(|function| !is_compiled(*function));
                let strange = self.of_stranger(of_users, |function| Some(function_of(function)?.0));
                let (function, owner) = strange.filter(|(function, _)| !self.is_of_a_type(*function))?;
                let name = function_name(function);
                let problem = self.refusal(format!("function {name}"), owner);
                Some(problem.hint(format!(
                    "Run ALTER FUNCTION {name} RENAME TO ...; to give it another name."
                )))
            })
    }

    /// The first object that belongs to a role without the rights that the statement runs with, and that
    /// role.
    fn of_stranger(
        &self,
        mut found: impl Iterator<Item = Oid>,
        owner: impl Fn(Oid) -> Option<Oid>,
    ) -> Option<(Oid, Oid)> {
        found.find_map(|object| {
            let owner = owner(object)?;
            (!has_rights_of(owner, self.named.role)).then_some((object, owner))
        })
    }

    fn refusal(&self, what: String, owner: Oid) -> Problem {
        let (owner, role) = (role::name(owner), role::name(self.named.role));
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("{what} belongs to {owner}, who does not have the rights of {role}"),
        )
        .detail("Its name is found in place of what the view uses.")
    }

    /// Whether the function compares or casts values. Only a superuser, or the owner of a type that the view
    /// returns, can make a function do so.
    fn is_of_a_type(&self, function: Oid) -> bool {
        let relations: Vec<Oid> = self.named.relations.iter().map(|oid| Oid::from(*oid)).collect();
        let args = [
            (pg_sys::OIDOID, Value::of(function)),
            (pg_sys::OIDARRAYOID, Value::of(relations)),
        ];
        let asked =
            run_internal(|| spi::session(|| spi::run(OF_A_TYPE, Access::Snapshot, &args).one::<bool>()));
        asked.unwrap_or(false)
    }
}

/// Whether function $1 is that of an operator class, or of a cast between types of columns of the relations
/// $2.
const OF_A_TYPE: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_amop a ON a.amopopr = o.oid WHERE o.oprcode = $1)
        OR EXISTS (SELECT FROM pg_catalog.pg_cast c
                    WHERE c.castfunc = $1
                      AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($2) AND a.atttypid = c.castsource)
                      AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($2) AND a.atttypid = c.casttarget))";

/// The languages `internal` and `c`.
const COMPILED: [u32; 2] = [12, 13];

fn add(found: &mut BTreeSet<u32>, object: Oid, known: &BTreeSet<u32>) {
    let object = object.to_u32();
    if object >= pg_sys::FirstNormalObjectId && !known.contains(&object) {
        found.insert(object);
    }
}

/// Only superusers make such functions.
fn is_compiled(function: Oid) -> bool {
    function_of(function).is_some_and(|(_, language)| COMPILED.contains(&language.to_u32()))
}

/// Owner and language.
fn function_of(function: Oid) -> Option<(Oid, Oid)> {
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, function.into_datum()?);
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_proc>(tuple);
        let found = (form.proowner, form.prolang);
        pg_sys::ReleaseSysCache(tuple);
        Some(found)
    }
}

/// Name and argument types, as ALTER FUNCTION takes them.
fn function_name(function: Oid) -> String {
    // SAFETY: returns a C string in the current memory context, made of catalog look-ups.
    unsafe { CStr::from_ptr(pg_sys::format_procedure_qualified(function)) }
        .to_string_lossy()
        .into_owned()
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::postgres::role::superuser;
    use crate::postgres::transaction::attempt;
    use pgrx::prelude::{pg_test, Spi};

    /// A role without rights, tables of which two are its own, and a function that names one of them.
    const OBJECTS: &str = "
        CREATE ROLE stranger;
        CREATE SCHEMA named_in;
        CREATE TABLE named_in.known (n int);
        CREATE TABLE named_in.ours (n int);
        CREATE TABLE named_in.strange (n int);
        CREATE FUNCTION named_in.count() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM named_in.strange); END';
        CREATE FUNCTION named_in.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
        ALTER TABLE named_in.known OWNER TO stranger;
        ALTER TABLE named_in.strange OWNER TO stranger;
        ALTER FUNCTION named_in.one OWNER TO stranger";

    fn refused(sql: &str) -> Option<String> {
        let known = Spi::get_one::<Oid>("SELECT 'named_in.known'::regclass::oid").unwrap();
        let named = Rc::new(Named::new(superuser(), std::iter::empty(), known.into_iter()));
        let run = || {
            named::within(&named, || {
                spi::session(|| spi::run(sql, Access::Current, &[]).len())
            })
        };
        let caught = attempt(run).err()?;
        assert_eq!(caught.sqlstate(), "42501", "{sql}: {}", caught.message);
        Some(caught.message)
    }

    #[pg_test]
    fn statements_find_what_is_known_or_trusted() {
        Spi::run(OBJECTS).unwrap();
        for sql in [
            "SELECT n FROM named_in.known",
            "SELECT n FROM named_in.ours",
            "SELECT relname FROM pg_class LIMIT 1",
            // What a function does is its own business.
            "SELECT named_in.count()",
            "EXPLAIN SELECT n FROM named_in.known",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
        for sql in [
            "SELECT n FROM named_in.strange",
            "SELECT 1 WHERE EXISTS (SELECT FROM named_in.strange)",
            "WITH w AS (SELECT n FROM named_in.strange) SELECT n FROM w",
            "EXPLAIN SELECT n FROM named_in.strange",
            "INSERT INTO named_in.strange VALUES (1)",
            "UPDATE named_in.strange SET n = 1",
            "DELETE FROM named_in.known USING named_in.strange",
        ] {
            let message = refused(sql).unwrap_or_else(|| panic!("not refused: {sql}"));
            let expected =
                "relation named_in.strange belongs to stranger, who does not have the rights of postgres";
            assert_eq!(message, expected, "{sql}");
        }
        for sql in [
            "SELECT named_in.one()",
            "SELECT * FROM named_in.one()",
            "SELECT 1 ORDER BY named_in.one()",
            "SELECT n FROM named_in.known LIMIT named_in.one()",
        ] {
            let message = refused(sql).unwrap_or_else(|| panic!("not refused: {sql}"));
            assert!(
                message.starts_with("function named_in.one() belongs to stranger"),
                "{message}"
            );
        }
        // Fixed texts of ours are no business of a TVIEW.
        let internal = || run_internal(|| refused_inside("SELECT n FROM named_in.strange"));
        assert_eq!(internal(), None);
    }

    fn refused_inside(sql: &str) -> Option<String> {
        let run = || spi::session(|| spi::run(sql, Access::Current, &[]).len());
        attempt(run).err().map(|caught| caught.message)
    }
}
