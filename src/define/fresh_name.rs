//! Which view is the fresh view of a TVIEW: `fv_post` beside `tv_post`, if it has the conditions of one.

use pgrx::pg_sys::{self, Oid};

use crate::catalog::definition::Definition;
use crate::postgres::quote;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// What the names of fresh views begin with.
pub const PREFIX: &str = "fv_";

/// The fresh view of a TVIEW, if it has one.
pub fn find(definition: &Definition) -> Option<Oid> {
    spi::session(|| {
        let args = [
            (pg_sys::TEXTOID, Value::of(definition.view_schema.as_str())),
            (pg_sys::TEXTOID, Value::of(name(definition))),
            (pg_sys::OIDOID, Value::of(definition.tview)),
        ];
        spi::run(&statement!("fresh_view_find"), Access::Current, &args).one::<Oid>()
    })
}

/// The name of the fresh view, without its schema.
pub fn name(definition: &Definition) -> String {
    format!("{PREFIX}{}", definition.entity_name)
}

/// The fresh view as SQL.
pub fn qualified(definition: &Definition) -> String {
    format!(
        "{}.{}",
        quote::identifier(&definition.view_schema),
        quote::identifier(&name(definition))
    )
}
