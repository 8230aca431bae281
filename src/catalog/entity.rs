//! An entity and the names of its relations: table `tv_post`, view `v_post`, base table `tb_post`.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::quote;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// An entity in a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub schema: String,
    pub name: String,
}

impl Entity {
    pub fn table(&self) -> String {
        format!("tv_{}", self.name)
    }

    pub fn view(&self) -> String {
        format!("v_{}", self.name)
    }

    pub fn base_table(&self) -> String {
        format!("tb_{}", self.name)
    }

    pub fn qualified(&self, relation: &str) -> String {
        format!(
            "{}.{}",
            quote::identifier(&self.schema),
            quote::identifier(relation)
        )
    }

    /// The TVIEW as messages name it: the table with its schema, as `Definition::display` for one that
    /// exists.
    pub fn display(&self) -> String {
        self.qualified(&self.table())
    }

    /// The OID of one of the entity's relations.
    pub fn find(&self, relation: &str) -> Option<Oid> {
        find(&self.schema, relation)
    }
}

/// The OID of a relation.
pub fn find(schema: &str, relation: &str) -> Option<Oid> {
    spi::session(|| {
        let args = [
            (pg_sys::TEXTOID, Value::of(schema)),
            (pg_sys::TEXTOID, Value::of(relation)),
        ];
        spi::run(&statement!("relation_find"), Access::Current, &args).one::<Oid>()
    })
}
