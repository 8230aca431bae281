//! The order of keys in which a comparison of all rows proceeds.

use pgrx::pg_sys;

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::type_operators;
use crate::refresh::plan::sql::unquote;
use crate::refresh::plan::Plan;

/// The order that view and table agree on.
pub struct KeyOrder {
    /// Operators as infix SQL, for a key or a row of its columns.
    pub greater: String,
    pub at_most: String,
}

impl KeyOrder {
    /// None if a key column has different types or collations in view and table, or a type without an order;
    /// or if the operators of the columns have different names. Inside an SPI session.
    pub fn of(plan: &Plan) -> Option<KeyOrder> {
        let names: Vec<String> = plan.shape.key.iter().map(|key| unquote(&key.name)).collect();
        let rows = run_internal(|| {
            let args = [
                (pg_sys::OIDOID, Value::of(plan.lineage.root_view)),
                (pg_sys::OIDOID, Value::of(plan.definition.tview)),
                (pg_sys::TEXTARRAYOID, Value::of(names.clone())),
            ];
            spi::run(
                "SELECT v.atttypid
                   FROM pg_catalog.unnest($3) k(name)
                   JOIN pg_catalog.pg_attribute v ON v.attrelid = $1 AND v.attname = k.name AND v.attnum > 0
                   JOIN pg_catalog.pg_attribute t ON t.attrelid = $2 AND t.attname = k.name AND t.attnum > 0
                  WHERE t.atttypid = v.atttypid AND t.attcollation = v.attcollation",
                Access::Current,
                &args,
            )
        });
        if rows.len() != names.len() {
            return None;
        }
        let operators: Option<Vec<[String; 2]>> = (0..rows.len())
            .map(|row| type_operators::order(rows.get(row, 0)?))
            .collect();
        let operators = operators?;
        let [greater, at_most] = operators.first()?.clone();
        let same = |[g, a]: &[String; 2]| *g == greater && *a == at_most;
        operators
            .iter()
            .all(same)
            .then_some(KeyOrder { greater, at_most })
    }
}
