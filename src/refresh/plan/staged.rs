//! The statements of a redefinition whose rows go to a stage first.
//!
//! ```text
//! view -> rows: the statements of a refresh, with the stage in place of the table -> stage
//! stage -> replace: the statement that compares all rows, with the stage in place of the view -> table
//! ```

use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::{build, shape, Plan};
use crate::catalog::columns::{self, Column};
use crate::error::Problem;
use crate::postgres::{quote, relation, spi};

/// The statements for one stage.
pub struct Staged {
    pub stage: Oid,
    pub rows: Rc<Plan>,
    pub replace: Plan,
}

impl Plan {
    /// The statements for a stage; None if the stage does not fit the table any more. Inside an SPI session.
    pub fn staged(&self, stage: Oid) -> Result<Option<Rc<Staged>>, Problem> {
        let known = self
            .staged
            .borrow()
            .clone()
            .filter(|staged| staged.stage == stage);
        if known.is_some() {
            return Ok(known);
        }
        let columns = columns::of(stage);
        let Some(name) = relation::qualified_name(stage).filter(|_| fits(&columns, &self.columns_of_stage()))
        else {
            return Ok(None);
        };
        let staged = spi::session(|| self.build_staged(stage, &name, &columns))?;
        Ok(Some(self.staged.borrow_mut().insert(Rc::new(staged)).clone()))
    }

    fn build_staged(&self, stage: Oid, name: &str, columns: &[Column]) -> Result<Staged, Problem> {
        let in_stage = shape::Shape {
            table: name.to_string(),
            touch: None,
            revision: None,
            returns_keys: false,
            ..self.shape.clone()
        };
        let in_table = columns::of(self.definition.tview);
        let replacing = shape::shape_of(&self.definition, Some(name.to_string()), columns, &in_table)?;
        let mut rows = build::with_shape(self, in_stage, stage)?;
        rows.stage = Some(stage);
        rows.fires_triggers = false;
        Ok(Staged {
            stage,
            rows: Rc::new(rows),
            replace: build::with_shape(self, replacing, stage)?,
        })
    }

    /// The stage is gone.
    pub fn forget_staged(&self) {
        self.staged.take();
    }

    /// The columns of a stage: those that refreshes write, as the table has them.
    pub fn columns_of_stage(&self) -> Vec<Column> {
        let names: Vec<String> = self.shape.maintained().collect();
        let in_table = columns::of(self.definition.tview);
        let find = |name: &String| in_table.iter().find(|column| column.name == *name).cloned();
        names.iter().filter_map(find).collect()
    }

    /// What CREATE TABLE says of the columns of a stage.
    pub fn definition_of_stage(&self) -> String {
        let columns: Vec<String> = self.columns_of_stage().iter().map(Column::sql).collect();
        let key: Vec<String> = self
            .definition
            .key_columns
            .iter()
            .map(|name| quote::identifier(name))
            .collect();
        format!("{}, PRIMARY KEY ({})", columns.join(", "), key.join(", "))
    }
}

/// Whether columns have the same names and types.
fn fits(a: &[Column], b: &[Column]) -> bool {
    let typed = |column: &Column| {
        (
            column.name.clone(),
            column.type_oid,
            column.modifier,
            column.collation,
        )
    };
    a.iter().map(typed).eq(b.iter().map(typed))
}
