//! The statements of a plan that move stored groups, prepared when first used.

use std::cell::{Cell, OnceCell};

use pgrx::pg_sys;

use super::moving;
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
    /// How often stored groups were read since this was last added up.
    pub helped: Cell<i64>,
    /// How many groups were stored since the last count of all of them. None: not counted yet.
    pub added: Cell<Option<usize>>,
    /// How many large groups were computed of late.
    computed: Cell<usize>,
}

/// If so many large groups were computed and none was read from the store, stored groups do not help.
const TOO_MANY: usize = 60;

/// The statements of a level.
pub struct Statements {
    /// See [`moving::net`].
    pub net: Statement,
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
                net: Statement::new(moving::net(level), &[pg_sys::JSONARRAYOID]),
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
            before + noted.computed.len()
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
        levels
            .flat_map(|level| level.named.iter().chain([&level.net]))
            .map(|statement| statement.memory() + statement.sql().len())
            .sum()
    }
}
