//! The statements of a plan that move stored groups, prepared when first used.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys;

use super::moving;
use super::net;
use super::noted::Noted;
use super::Level;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::spi::Statement;

/// What a plan keeps for its stored groups.
#[derive(Default)]
pub struct Kept {
    levels: OnceCell<Vec<Statements>>,
    /// The statement that reads stored groups has run: PostgreSQL can plan it.
    pub is_planned: Cell<bool>,
    /// PostgreSQL cannot plan it, but the statement without stored groups.
    pub is_refused: Cell<bool>,
    /// How many groups were stored since the last count of all of them. None: not counted yet.
    pub added: Cell<Option<usize>>,
    /// How many groups were computed of late that may be stored.
    computed: Cell<usize>,
}

/// If so many such groups were computed and none was read from the store, stored groups do not help.
const TOO_MANY: usize = 60;

/// The positions of changed tables, and whether each has few changes.
type Changed = (Vec<usize>, bool);

/// The statements of a level.
pub struct Statements {
    nets: RefCell<HashMap<Changed, Rc<Statement>>>,
    /// See [`moving::moving`].
    pub moving: SessionStatement,
    /// See [`moving::named`].
    pub named: Option<Statement>,
}

impl Kept {
    /// The statements of these levels, in their order.
    pub fn levels(&self, levels: &[Level]) -> &[Statements] {
        self.levels.get_or_init(|| {
            let statements = levels.iter().map(|level| Statements {
                nets: RefCell::default(),
                moving: SessionStatement::new(),
                named: moving::named(level).map(|text| Statement::new(text, &[pg_sys::JSONBARRAYOID])),
            });
            statements.collect()
        })
    }

    /// Counts the groups that a statement has read.
    pub fn count(&self, noted: &Noted) {
        let before = self.computed.get();
        self.computed.set(if noted.helped > 0 {
            before / 2
        } else {
            before + noted.computed.len() + noted.small.len()
        });
    }

    /// Whether stored groups may help. If they have not, they are tried again later.
    pub fn often_help(&self) -> bool {
        let computed = self.computed.get();
        if computed > TOO_MANY {
            self.computed.set(computed - 1);
        }
        computed <= TOO_MANY
    }

    /// The approximate size in memory, in bytes.
    pub fn memory(&self) -> usize {
        let levels = self.levels.get().into_iter().flatten();
        levels.map(Statements::memory).sum()
    }
}

impl Statements {
    /// See [`net::net`].
    pub fn net(&self, level: &Level, changed: &[usize], few: bool) -> Rc<Statement> {
        let mut nets = self.nets.borrow_mut();
        let net = nets.entry((changed.to_vec(), few)).or_insert_with(|| {
            let types = vec![pg_sys::JSONARRAYOID; level.tables.len()];
            Rc::new(Statement::new(net::net(level, changed, few), &types))
        });
        Rc::clone(net)
    }

    fn memory(&self) -> usize {
        let of = |statement: &Statement| statement.memory() + statement.sql().len();
        let nets = self.nets.borrow();
        self.named.iter().map(of).sum::<usize>() + nets.values().map(|net| of(net)).sum::<usize>()
    }
}
