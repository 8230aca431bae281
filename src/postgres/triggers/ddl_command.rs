//! Which kind of command an event trigger is called for. For some kinds the parse tree proves that no view
//! returns other rows after the command.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::postgres::hooks::table_as;

/// What a command may do to views.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Creates a temporary table.
    Temporary,
    /// Creates an object that nothing can depend on yet, or changes nothing that a view could return.
    Harmless,
    /// Attaches or detaches tables, together with their rows.
    TableTree,
    /// Creates or alters a subscription.
    Subscription,
    /// The parse tree does not tell.
    Other,
}

/// The command that an event trigger is called for.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn of(fcinfo: pg_sys::FunctionCallInfo) -> Command {
    // SAFETY: the parse tree outlives the call.
    unsafe { parse_tree(fcinfo).map_or(Command::Other, |node| classify(node)) }
}

/// Whether the command is a CREATE TABLE AS, or SELECT INTO, of a table with the name of a TVIEW.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn is_table_as(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    // SAFETY: as in `of`.
    unsafe { parse_tree(fcinfo).is_some_and(|node| table_as::may_make_tview(node)) }
}

/// The parse tree of the command that an event trigger is called for.
unsafe fn parse_tree(fcinfo: pg_sys::FunctionCallInfo) -> Option<*mut pg_sys::Node> {
    // SAFETY: the context is checked to be that of an event trigger, whose parse tree outlives the call.
    unsafe {
        let context = (*fcinfo).context;
        let is_event = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_EventTriggerData;
        let node = is_event.then(|| (*context.cast::<pg_sys::EventTriggerData>()).parsetree);
        // A login has none.
        node.filter(|node| !node.is_null())
    }
}

unsafe fn classify(node: *mut pg_sys::Node) -> Command {
    // SAFETY: each node is read with the layout its tag says.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_CreateStmt => {
                let statement = &*node.cast::<pg_sys::CreateStmt>();
                if statement.inhRelations.is_null() {
                    made(statement.relation)
                } else {
                    Command::TableTree
                }
            }
            pg_sys::NodeTag::T_CreateTableAsStmt => {
                made((*(*node.cast::<pg_sys::CreateTableAsStmt>()).into).rel)
            }
            pg_sys::NodeTag::T_CreateFunctionStmt => {
                if (*node.cast::<pg_sys::CreateFunctionStmt>()).replace {
                    Command::Other
                } else {
                    Command::Harmless
                }
            }
            pg_sys::NodeTag::T_CreateSeqStmt
            | pg_sys::NodeTag::T_AlterSeqStmt
            | pg_sys::NodeTag::T_CreateStatsStmt
            | pg_sys::NodeTag::T_AlterStatsStmt
            | pg_sys::NodeTag::T_CommentStmt
            | pg_sys::NodeTag::T_RefreshMatViewStmt => Command::Harmless,
            pg_sys::NodeTag::T_CreateSubscriptionStmt | pg_sys::NodeTag::T_AlterSubscriptionStmt => {
                Command::Subscription
            }
            pg_sys::NodeTag::T_CreateForeignTableStmt
                if !(*node.cast::<pg_sys::CreateStmt>()).inhRelations.is_null() =>
            {
                Command::TableTree
            }
            pg_sys::NodeTag::T_AlterTableStmt => altered(&*node.cast::<pg_sys::AlterTableStmt>()),
            _ => Command::Other,
        }
    }
}

/// A new table. One that takes the name of a missing backing view must be noticed.
unsafe fn made(name: *mut pg_sys::RangeVar) -> Command {
    // SAFETY: the name comes from the parser.
    let (name, temporary) = unsafe {
        let temporary = (*name).relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP;
        (CStr::from_ptr((*name).relname), temporary)
    };
    if temporary {
        Command::Temporary
    } else if name.to_bytes().starts_with(b"v_") {
        Command::Other
    } else {
        Command::Harmless
    }
}

unsafe fn altered(statement: &pg_sys::AlterTableStmt) -> Command {
    use pg_sys::AlterTableType as Kind;
    // SAFETY: the list holds the commands that the grammar made.
    let commands = unsafe { pgrx::PgList::<pg_sys::AlterTableCmd>::from_pg(statement.cmds) };
    let of_tree = |command: *mut pg_sys::AlterTableCmd| {
        matches!(
            // SAFETY: as above.
            unsafe { (*command).subtype },
            Kind::AT_AddInherit
                | Kind::AT_DropInherit
                | Kind::AT_AttachPartition
                | Kind::AT_DetachPartition
                | Kind::AT_DetachPartitionFinalize
        )
    };
    let affects_tree = commands.iter_ptr().any(of_tree);
    if affects_tree {
        Command::TableTree
    } else {
        Command::Other
    }
}
