//! Statements that are the same for all TVIEWs: prepared once per session, and again after the extension was
//! created again or its schema renamed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::definition;
use crate::postgres::extension;
use crate::postgres::hooks::invalidation;
use crate::postgres::spi::Statement;

pub struct SessionStatement {
    /// The state the statement was prepared for: the OID of pg_tview_definition, the counter of schema
    /// changes, and whether the objects are those of a version before 0.3.0.
    prepared_for: Cell<(Oid, u64, bool)>,
    statement: RefCell<Option<Rc<Statement>>>,
}

impl SessionStatement {
    pub const fn new() -> SessionStatement {
        SessionStatement {
            prepared_for: Cell::new((Oid::INVALID, 0, false)),
            statement: RefCell::new(None),
        }
    }

    /// The statement; `text` returns its SQL when it has to be prepared.
    pub fn get(&self, text: impl FnOnce() -> String, types: &[Oid]) -> Rc<Statement> {
        let current = (
            definition::table().unwrap_or(Oid::INVALID),
            invalidation::schemas(),
            extension::is_before_0_3(),
        );
        if let (true, Some(statement)) = (
            self.prepared_for.get() == current,
            self.statement.borrow().as_ref(),
        ) {
            return statement.clone();
        }
        let prepared = Rc::new(Statement::new(text(), types));
        self.prepared_for.set(current);
        *self.statement.borrow_mut() = Some(prepared.clone());
        prepared
    }
}

impl Default for SessionStatement {
    fn default() -> Self {
        Self::new()
    }
}
