//! Facts about a command that its event trigger reads from the parse tree, as the list of objects does not
//! have them: tables attached to or detached from another one, and the former name of a column.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

use crate::postgres::inheritance;

/// What a command did to a table.
#[derive(Default)]
pub struct TableChange {
    /// The tables whose partitions or children the command has changed, and the partitioned tables above
    /// them.
    pub trees: Vec<Oid>,
    /// The tables that were attached or detached, together with their rows.
    pub moved: Vec<Oid>,
    pub renamed: Option<RenamedColumn>,
}

pub struct RenamedColumn {
    pub table: Oid,
    pub before: String,
    pub after: String,
}

/// Reads the change from the parse tree that an event trigger is called with.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn changed_by(fcinfo: pg_sys::FunctionCallInfo) -> TableChange {
    // SAFETY: the context is checked to be that of an event trigger, whose parse tree outlives the call;
    // every node is read with the layout its tag, or the subtype of its command, says.
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return TableChange::default();
        }
        let node = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        match (*node).type_ {
            // A foreign table begins like one of our own.
            pg_sys::NodeTag::T_CreateStmt | pg_sys::NodeTag::T_CreateForeignTableStmt => TableChange {
                trees: with_ancestors(elements((*node.cast::<pg_sys::CreateStmt>()).inhRelations)),
                ..TableChange::default()
            },
            pg_sys::NodeTag::T_AlterTableStmt => altered(&*node.cast::<pg_sys::AlterTableStmt>()),
            pg_sys::NodeTag::T_RenameStmt => TableChange {
                renamed: renamed(&*node.cast::<pg_sys::RenameStmt>()),
                ..TableChange::default()
            },
            _ => TableChange::default(),
        }
    }
}

unsafe fn altered(statement: &pg_sys::AlterTableStmt) -> TableChange {
    // SAFETY: the list holds the commands that the grammar made; what each defines has the layout its
    // subtype says.
    unsafe {
        use pg_sys::AlterTableType as Kind;
        let mut parents: Vec<*mut pg_sys::RangeVar> = Vec::new();
        let mut moved: Vec<*mut pg_sys::RangeVar> = Vec::new();
        for command in elements::<pg_sys::AlterTableCmd>(statement.cmds) {
            match (*command).subtype {
                Kind::AT_AddInherit | Kind::AT_DropInherit => {
                    parents.push((*command).def.cast());
                    moved.push(statement.relation);
                }
                Kind::AT_AttachPartition | Kind::AT_DetachPartition | Kind::AT_DetachPartitionFinalize => {
                    parents.push(statement.relation);
                    moved.push((*(*command).def.cast::<pg_sys::PartitionCmd>()).name);
                }
                _ => {}
            }
        }
        TableChange {
            trees: with_ancestors(parents),
            moved: moved.into_iter().filter_map(|name| found(name)).collect(),
            renamed: None,
        }
    }
}

unsafe fn renamed(statement: &pg_sys::RenameStmt) -> Option<RenamedColumn> {
    // SAFETY: the names of a column come from the parser, NUL-terminated.
    unsafe {
        if statement.renameType != pg_sys::ObjectType::OBJECT_COLUMN {
            return None;
        }
        let name = |text: *const std::ffi::c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
        Some(RenamedColumn {
            table: found(statement.relation)?,
            before: name(statement.subname),
            after: name(statement.newname),
        })
    }
}

unsafe fn with_ancestors(parents: Vec<*mut pg_sys::RangeVar>) -> Vec<Oid> {
    // SAFETY: the names come from the parser.
    unsafe {
        parents
            .into_iter()
            .filter_map(|name| found(name))
            .flat_map(|parent| inheritance::ancestors(parent).into_iter().chain([parent]))
            .collect()
    }
}

/// The relation of a name.
///
/// # Safety
/// `name` comes from the parser.
pub unsafe fn found(name: *mut pg_sys::RangeVar) -> Option<Oid> {
    // SAFETY: as the caller promises.
    unsafe {
        let relation = pg_sys::RangeVarGetRelidExtended(
            name,
            pg_sys::NoLock as pg_sys::LOCKMODE,
            pg_sys::RVROption::RVR_MISSING_OK,
            None,
            std::ptr::null_mut(),
        );
        (relation != Oid::INVALID).then_some(relation)
    }
}

unsafe fn elements<T>(list: *mut pg_sys::List) -> Vec<*mut T> {
    // SAFETY: callers pass NIL or a list of pointers, read within its length.
    unsafe {
        let length = list.as_ref().map_or(0, |list| list.length as usize);
        (0..length)
            .map(|index| (*(*list).elements.add(index)).ptr_value.cast())
            .collect()
    }
}
