//! What users call a TVIEW: `post`, `tv_post` or `app.post`; resolved to an entity.

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use super::entity::Entity;
use crate::error::{shown, Problem};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{schema, transaction};
use crate::statement;

/// Longest identifier PostgreSQL keeps whole, in bytes.
const MAX_IDENTIFIER: usize = pg_sys::NAMEDATALEN as usize - 1;

/// Longest text read as a name, in bytes. Two identifiers of which every letter is a doubled quote take less.
const LONGEST_NAME: usize = 1000;

/// Reads a name as SQL does: unquoted parts are folded to lower case. Without a schema, the first schema of
/// the search path that has the `tv_` table or the `v_` view is taken, else the current schema. Not inside an
/// SPI session, whose search path is another.
pub fn resolve(name: &str) -> Result<Entity, Problem> {
    let parts = parse(name)?;
    if let Some(longest) = parts.iter().find(|part| part.len() > MAX_IDENTIFIER) {
        return Err(too_long(longest));
    }
    let entity = match &parts[..] {
        [schema, name] => Entity {
            schema: schema.clone(),
            name: without_prefix(name).to_string(),
        },
        [name] => {
            let name = without_prefix(name).to_string();
            let schema = schema_of(&name).ok_or_else(no_schema)?;
            Entity { schema, name }
        }
        _ => return Err(invalid(name)),
    };
    if !schema_exists(&entity.schema) {
        return Err(unknown_schema(&entity.schema));
    }
    let longest = entity.table();
    if longest.len() > MAX_IDENTIFIER {
        return Err(too_long(&longest));
    }
    Ok(entity)
}

/// `tv_post` means the entity `post`.
fn without_prefix(name: &str) -> &str {
    let entity = name.strip_prefix("tv_").filter(|entity| !entity.is_empty());
    entity.unwrap_or(name)
}

/// Whether a text has the form of a name at all.
pub fn is_name(text: &str) -> bool {
    let text = text.trim();
    if text.len() > LONGEST_NAME {
        // Every query has white space or a parenthesis.
        return !text.contains(|letter: char| letter.is_whitespace() || letter == '(');
    }
    text.is_empty() || parse(text).is_ok()
}

/// Whether reading the name folds capitals to lower case.
pub fn is_folded(name: &str) -> bool {
    let outside_quotes = name.split('"').step_by(2);
    outside_quotes.flat_map(str::chars).any(char::is_uppercase)
}

/// The name with its last part quoted, so that it keeps its capitals.
pub fn quoted(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((schema, name)) => format!("{schema}.\"{}\"", name.trim()),
        None => format!("\"{}\"", name.trim()),
    }
}

fn parse(name: &str) -> Result<Vec<String>, Problem> {
    let name = name.trim();
    if name.is_empty() || name.contains('\0') {
        return Err(invalid(name));
    }
    if name.len() > LONGEST_NAME {
        return Err(too_long(name));
    }
    let parsed = transaction::attempt(|| {
        spi::session(|| {
            spi::run(
                "SELECT pg_catalog.parse_ident($1)",
                Access::Current,
                &[(pg_sys::TEXTOID, Value::of(name))],
            )
            .one::<Vec<String>>()
        })
    });
    match parsed {
        Ok(Some(parts)) if parts.iter().all(|part| !part.is_empty()) => Ok(parts),
        _ => Err(invalid(name)),
    }
}

fn no_schema() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
        "no schema has been selected",
    )
    .hint("Write the schema before the name, or set search_path.")
}

/// "There is no such schema."
pub fn unknown_schema(schema: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
        format!("schema \"{schema}\" does not exist"),
    )
    .hint("Run SELECT nspname FROM pg_namespace; to list the schemas.")
}

fn too_long(name: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NAME_TOO_LONG,
        format!(
            "the name \"{}\" is longer than {MAX_IDENTIFIER} bytes",
            shown(name)
        ),
    )
    .hint("Use a shorter name.")
}

fn invalid(name: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_NAME,
        format!("\"{}\" is not the name of a TVIEW", shown(name)),
    )
    .hint("Write the name like post, tv_post or app.post. Quote names with capitals or spaces: app.\"My Post\".")
}

/// Whether there is a schema of this name.
pub fn schema_exists(name: &str) -> bool {
    spi::session(|| {
        let args = [(pg_sys::TEXTOID, Value::of(name))];
        !spi::run(&statement!("schema_exists"), Access::Current, &args).is_empty()
    })
}

/// The schema of an entity that is named without one.
fn schema_of(entity: &str) -> Option<String> {
    let path = schema::search_path();
    spi::session(|| {
        let args = [
            (pg_sys::TEXTOID, Value::of(entity)),
            (pg_sys::OIDARRAYOID, Value::of(path)),
        ];
        spi::run(&statement!("schema_of_entity"), Access::Current, &args).one::<String>()
    })
}
