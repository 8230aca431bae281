//! Which DDL lets a table inherit from another, become its partition, or stop: what an event trigger sees of it.

use pgrx::pg_sys::{self, Oid};

/// The tables whose trees of partitions or children the command has changed, and the partitioned tables above them.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn changed_by(fcinfo: pg_sys::FunctionCallInfo) -> Vec<Oid> {
    // SAFETY: the context is checked to be that of an event trigger, whose parse tree outlives the call; every node is
    // read with the layout its tag, or the subtype of its command, says.
    let parents: Vec<Oid> = unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_EventTriggerData {
            return Vec::new();
        }
        let node = (*context.cast::<pg_sys::EventTriggerData>()).parsetree;
        match (*node).type_ {
            pg_sys::NodeTag::T_CreateStmt => {
                elements::<pg_sys::RangeVar>((*node.cast::<pg_sys::CreateStmt>()).inhRelations)
            }
            pg_sys::NodeTag::T_AlterTableStmt => altered(&*node.cast::<pg_sys::AlterTableStmt>()),
            _ => Vec::new(),
        }
        .into_iter()
        .filter_map(|name| found(name))
        .collect()
    };
    parents
        .into_iter()
        .flat_map(|parent| super::partition::ancestors(parent).into_iter().chain([parent]))
        .collect()
}

unsafe fn altered(statement: &pg_sys::AlterTableStmt) -> Vec<*mut pg_sys::RangeVar> {
    use pg_sys::AlterTableType as Kind;
    elements::<pg_sys::AlterTableCmd>(statement.cmds)
        .into_iter()
        .filter_map(|command| match (*command).subtype {
            Kind::AT_AddInherit | Kind::AT_DropInherit => Some((*command).def.cast()),
            Kind::AT_AttachPartition | Kind::AT_DetachPartition | Kind::AT_DetachPartitionFinalize => {
                Some(statement.relation)
            }
            _ => None,
        })
        .collect()
}

unsafe fn found(name: *mut pg_sys::RangeVar) -> Option<Oid> {
    let relation = pg_sys::RangeVarGetRelidExtended(
        name,
        pg_sys::NoLock as pg_sys::LOCKMODE,
        pg_sys::RVROption::RVR_MISSING_OK,
        None,
        std::ptr::null_mut(),
    );
    (relation != Oid::INVALID).then_some(relation)
}

unsafe fn elements<T>(list: *mut pg_sys::List) -> Vec<*mut T> {
    let length = list.as_ref().map_or(0, |list| list.length as usize);
    (0..length)
        .map(|index| (*(*list).elements.add(index)).ptr_value.cast())
        .collect()
}
