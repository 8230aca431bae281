//! Statements that are the same for every TVIEW, prepared once per session and again after the extension
//! was dropped and created anew, or its schema renamed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::definition;
use crate::postgres::hooks::invalidation;
use crate::postgres::spi::Statement;
use crate::postgres::transaction;

pub struct SessionStatement {
    /// The OID of pg_tview_definition it was made for, the state of schema names, and whether for SERIALIZABLE transactions.
    made_for: Cell<(Oid, u64, bool)>,
    statement: RefCell<Option<Rc<Statement>>>,
}

impl SessionStatement {
    pub const fn new() -> SessionStatement {
        SessionStatement {
            made_for: Cell::new((Oid::INVALID, 0, false)),
            statement: RefCell::new(None),
        }
    }

    /// The statement; `text` gives its SQL when it has to be made.
    pub fn get(&self, text: impl FnOnce() -> String, types: &[Oid]) -> Rc<Statement> {
        let current = (
            definition::table().unwrap_or(Oid::INVALID),
            invalidation::schemas(),
            transaction::is_serializable(),
        );
        if let (true, Some(statement)) = (self.made_for.get() == current, self.statement.borrow().as_ref()) {
            return statement.clone();
        }
        let made = Rc::new(Statement::new(text(), types));
        self.made_for.set(current);
        *self.statement.borrow_mut() = Some(made.clone());
        made
    }
}

impl Default for SessionStatement {
    fn default() -> Self {
        Self::new()
    }
}
