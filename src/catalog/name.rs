//! What users call a TVIEW: `post`, `tv_post` or `app.post`.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::error::{shown, Problem};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, schema};

/// Longest identifier PostgreSQL keeps whole, in bytes.
const MAX_IDENTIFIER: usize = pg_sys::NAMEDATALEN as usize - 1;

/// Two such identifiers, quoted and with every letter a doubled quote, take much less.
const LONGEST_NAME: usize = 1000;

/// An entity in a schema; the names of its relations follow.
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

    /// The OID of one of its relations.
    pub fn find(&self, relation: &str) -> Option<Oid> {
        spi::session(|| {
            spi::run(
                "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = $1 AND c.relname = $2",
                Access::Current,
                &[
                    (pg_sys::TEXTOID, Value::of(self.schema.as_str())),
                    (pg_sys::TEXTOID, Value::of(relation)),
                ],
            )
            .one::<Oid>()
        })
    }
}

/// Reads a name as SQL reads it (unquoted parts fold to lower case). Without a schema: the schema of the first
/// existing `tv_` table or `v_` view in the search path, else the current schema. Not inside an SPI session, which has
/// another search path.
pub fn resolve(name: &str) -> Result<Entity, Problem> {
    let parts = parse(name)?;
    if let Some(longest) = parts.iter().find(|part| part.len() > MAX_IDENTIFIER) {
        return Err(too_long(longest));
    }
    let entity = |part: &str| {
        part.strip_prefix("tv_")
            .filter(|rest| !rest.is_empty())
            .unwrap_or(part)
            .to_string()
    };
    let resolved = match &parts[..] {
        [schema, name] => Entity {
            schema: schema.clone(),
            name: entity(name),
        },
        [name] => {
            let name = entity(name);
            let schema = schema_in_path(&name).ok_or_else(|| {
                Problem::new(
                    PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
                    "no schema has been selected",
                )
                .hint("Write the schema before the name, or set search_path.")
            })?;
            Entity { schema, name }
        }
        _ => return Err(invalid(name)),
    };
    if !schema_exists(&resolved.schema) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
            format!("schema \"{}\" does not exist", resolved.schema),
        )
        .hint("SELECT nspname FROM pg_namespace; lists the schemas."));
    }
    let longest = resolved.table();
    if longest.len() > MAX_IDENTIFIER {
        return Err(too_long(&longest));
    }
    Ok(resolved)
}

/// Whether a text has the form of a name at all.
pub fn is_name(text: &str) -> bool {
    let text = text.trim();
    if text.len() > LONGEST_NAME {
        // No query does without both.
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
    let parsed = crate::postgres::transaction::attempt(|| {
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
    .hint("Write it like post, tv_post or app.post; quote names with capitals or spaces: app.\"My Post\".")
}

/// Whether there is a schema of this name.
pub fn schema_exists(name: &str) -> bool {
    spi::session(|| {
        let sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1";
        !spi::run(sql, Access::Current, &[(pg_sys::TEXTOID, Value::of(name))]).is_empty()
    })
}

fn schema_in_path(name: &str) -> Option<String> {
    let path = schema::search_path();
    spi::session(|| {
        spi::run(
            "SELECT coalesce(
                (SELECT n.nspname
                   FROM unnest($2) WITH ORDINALITY path(oid, place)
                   JOIN pg_catalog.pg_namespace n USING (oid)
                   JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
                  WHERE c.relname IN ('tv_' || $1, 'v_' || $1)
                  ORDER BY path.place LIMIT 1),
                (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = $2[1]))::text",
            Access::Current,
            &[
                (pg_sys::TEXTOID, Value::of(name)),
                (pg_sys::OIDARRAYOID, Value::of(path)),
            ],
        )
        .one::<String>()
    })
}
