//! The schema and the relations of the extension, looked up once per process.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::num::NonZeroUsize;

use pgrx::htup::heap_getattr_raw;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::FromDatum;

const NAME: &CStr = c"pg_tviews";
/// Stands for the whole extension: while it exists, the extension is installed.
const SENTINEL: &CStr = c"pg_tview_queue";

struct Cache {
    schema: Cell<Oid>,
    relations: RefCell<Vec<(&'static CStr, Oid)>>,
    is_before_0_3: Cell<Option<bool>>,
    /// Set when an invalidation finds `relations` in use.
    stale: Cell<bool>,
}

thread_local! {
    static CACHE: Cache = const {
        Cache {
            schema: Cell::new(Oid::INVALID),
            relations: RefCell::new(Vec::new()),
            is_before_0_3: Cell::new(None),
            stale: Cell::new(false),
        }
    };
}

/// OID of a relation in the extension's schema; none if the extension is not installed in this database.
pub fn relation(name: &'static CStr) -> Option<Oid> {
    let known = CACHE.with(|cache| {
        if cache.stale.take() {
            cache.forget_all();
        }
        let relations = cache.relations.borrow();
        relations
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, oid)| *oid)
    });
    known.or_else(|| look_up(name))
}

/// Whether the extension is installed in this database.
pub fn installed() -> bool {
    relation(SENTINEL).is_some()
}

/// Whether the SQL objects are of a version before 0.3.0, which have one function that returns all rows of the
/// queue.
pub fn is_before_0_3() -> bool {
    let Some(schema) = schema() else { return false };
    CACHE.with(|cache| {
        let known = cache.is_before_0_3.get();
        known.unwrap_or_else(|| {
            // SAFETY: a cache lookup by a NUL-terminated name and no types of arguments, inside a transaction.
            let is = unsafe {
                let no_arguments = pg_sys::buildoidvector(std::ptr::null(), 0);
                pg_sys::SearchSysCacheExists(
                    pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
                    Datum::from(c"pg_tviews_queued".as_ptr()),
                    Datum::from(no_arguments),
                    Datum::from(schema),
                    Datum::from(0),
                )
            };
            cache.is_before_0_3.set(Some(is));
            is
        })
    })
}

/// Whether a relation is one of the extension's own.
pub fn owns(relation: Oid) -> bool {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe {
        let extension = pg_sys::get_extension_oid(NAME.as_ptr(), true);
        extension != Oid::INVALID
            && pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, relation) == extension
    }
}

/// Makes DROP EXTENSION drop a trigger, as `ALTER TRIGGER ... DEPENDS ON EXTENSION` does, but without its
/// lock, which keeps all other sessions from the table, readers included.
pub fn take_along(table: Oid, trigger: &str) {
    let Ok(trigger) = std::ffi::CString::new(trigger) else {
        return;
    };
    let address = |class: u32, object| pg_sys::ObjectAddress {
        classId: class.into(),
        objectId: object,
        objectSubId: 0,
    };
    // SAFETY: catalog look-ups by NUL-terminated names, and a row of pg_depend between two objects that
    // exist; the caller holds a lock on the table.
    unsafe {
        pg_sys::CommandCounterIncrement();
        let trigger = pg_sys::get_trigger_oid(table, trigger.as_ptr(), false);
        let extension = pg_sys::get_extension_oid(NAME.as_ptr(), false);
        let known = pg_sys::getAutoExtensionsOfObject(pg_sys::TriggerRelationId, trigger);
        if !pg_sys::list_member_oid(known, extension) {
            pg_sys::recordDependencyOn(
                &address(pg_sys::TriggerRelationId.into(), trigger),
                &address(pg_sys::ExtensionRelationId.into(), extension),
                pg_sys::DependencyType::DEPENDENCY_AUTO_EXTENSION,
            );
        }
    }
}

/// The schema of the extension.
pub fn schema() -> Option<Oid> {
    installed().then(|| CACHE.with(|cache| cache.schema.get()))
}

/// Relation cache callback, see [`super::hooks::invalidation`].
pub fn forget(relation: Oid) {
    CACHE.with(|cache| match cache.relations.try_borrow() {
        Ok(relations) => {
            let hit = relation == Oid::INVALID || relations.iter().any(|(_, oid)| *oid == relation);
            drop(relations);
            if hit {
                cache.forget_all();
            }
        }
        Err(_) => cache.stale.set(true),
    });
}

impl Cache {
    fn forget_all(&self) {
        self.is_before_0_3.set(None);
        match self.relations.try_borrow_mut() {
            Ok(mut relations) => relations.clear(),
            Err(_) => self.stale.set(true),
        }
    }
}

fn look_up(name: &'static CStr) -> Option<Oid> {
    let schema = look_up_schema()?;
    let in_schema = |name: &CStr| {
        // SAFETY: a cache lookup by a NUL-terminated name, inside a transaction.
        let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
        (oid != Oid::INVALID).then_some(oid)
    };
    // Both are remembered: an invalidation of the sentinel (DROP EXTENSION) must find it in the cache.
    let sentinel = in_schema(SENTINEL)?;
    let oid = in_schema(name)?;
    CACHE.with(|cache| {
        cache.schema.set(schema);
        let mut relations = cache.relations.borrow_mut();
        for found in [(SENTINEL, sentinel), (name, oid)] {
            if !relations.contains(&found) {
                relations.push(found);
            }
        }
    });
    Some(oid)
}

fn look_up_schema() -> Option<Oid> {
    // SAFETY: the fixed part of a row of pg_extension.
    look_up_row(|row, _| unsafe {
        let form = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_extension>();
        Some((*form).extnamespace)
    })
}

/// The version of the SQL objects in the connected database; None if the extension is not installed. Inside a
/// transaction.
pub fn version() -> Option<String> {
    const COLUMN: NonZeroUsize = NonZeroUsize::new(pg_sys::Anum_pg_extension_extversion as usize).unwrap();
    // SAFETY: a column of type text, copied while the row is there.
    look_up_row(|row, columns| unsafe {
        let version = heap_getattr_raw(row, COLUMN, columns)?;
        String::from_datum(version, false)
    })
}

/// `pg_extension` has no system cache in PostgreSQL 15; a scan of its index by name answers.
fn look_up_row<R>(read: impl FnOnce(pg_sys::HeapTuple, pg_sys::TupleDesc) -> Option<R>) -> Option<R> {
    // SAFETY: a catalog scan with a key of the indexed column's type; the tuple is read before the scan ends,
    // and whatever is open is released by the transaction if an error unwinds.
    unsafe {
        let extensions = pg_sys::table_open(
            pg_sys::ExtensionRelationId,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
        );
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_NAMEEQ.into(),
            pg_sys::Datum::from(NAME.as_ptr()),
        );
        let scan = pg_sys::systable_beginscan(
            extensions,
            pg_sys::ExtensionNameIndexId.into(),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let row = pg_sys::systable_getnext(scan);
        let found = (!row.is_null())
            .then(|| read(row, (*extensions).rd_att))
            .flatten();
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(extensions, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        found
    }
}

/// The encoding of the database, if that is not UTF-8.
pub fn other_encoding() -> Option<String> {
    // SAFETY: both read what the process knows since it has connected; the name is a constant.
    unsafe {
        if pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 {
            return None;
        }
        let name = std::ffi::CStr::from_ptr(pg_sys::GetDatabaseEncodingName());
        Some(name.to_string_lossy().into_owned())
    }
}

/// Whether the extension exists in the connected database; call inside a transaction.
pub fn exists() -> bool {
    // SAFETY: an ordinary catalog lookup by name inside a transaction.
    unsafe { pg_sys::get_extension_oid(c"pg_tviews".as_ptr(), true) != pg_sys::InvalidOid }
}
