//! Columns of a row: comparing the images of two values, and writing a value as JSON text that does not
//! depend on the session.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum, Oid};

use super::canonical::CanonicalText;
use super::versions::attributes::attributes;
use crate::json::text;

/// Values and keys with more bytes than this are not written: a change with such a key counts as a change of
/// any row.
const LONGEST: usize = 1 << 20;

/// PostgreSQL's own, as pgrx's declaration would convert errors: this raises none for columns that there are.
mod raw {
    use pgrx::pg_sys;

    extern "C-unwind" {
        pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: std::ffi::c_int);
    }
}

/// A column as the relation defines it now.
pub struct Column {
    /// Name in the encoding of the database.
    pub name: Vec<u8>,
    pub number: usize,
    by_value: bool,
    length: i16,
    kind: Kind,
}

/// How a value is written.
enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Text,
    Name,
    Uuid,
    Jsonb,
    /// Text output of the type, by this function.
    Output(Oid),
    /// Text output that depends on settings.
    PinnedOutput(Oid),
    /// The text has a meaning in the session that wrote it only.
    Private,
}

/// The first columns of one version of a row.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    values: &'a [Datum],
    nulls: &'a [bool],
}

impl Row<'_> {
    fn value(&self, column: &Column) -> Option<Datum> {
        (!self.nulls[column.number - 1]).then(|| self.values[column.number - 1])
    }

    /// The first `columns` columns of the row in `slot`.
    ///
    /// # Safety
    /// `slot` must hold a tuple, and stay as it is while the row is used.
    pub(super) unsafe fn read(slot: *mut pg_sys::TupleTableSlot, columns: usize) -> Self {
        // SAFETY: as the caller promises; a slot has as many values and flags as it says are valid.
        unsafe {
            let columns = columns.min((*(*slot).tts_tupleDescriptor).natts as usize);
            if usize::from((*slot).tts_nvalid as u16) < columns {
                raw::slot_getsomeattrs_int(slot, columns as i32);
            }
            let valid = usize::from((*slot).tts_nvalid as u16).min(columns);
            Row {
                values: std::slice::from_raw_parts((*slot).tts_values, valid),
                nulls: std::slice::from_raw_parts((*slot).tts_isnull, valid),
            }
        }
    }
}

impl Column {
    /// Every column of an open relation.
    ///
    /// # Safety
    /// `descriptor` must be the descriptor of a relation that is open and locked.
    pub(super) unsafe fn all(descriptor: pg_sys::TupleDesc) -> Vec<Column> {
        // SAFETY: as the caller promises; a descriptor has `natts` attributes.
        unsafe {
            let live = attributes(descriptor)
                .iter()
                .filter(|attribute| !attribute.attisdropped);
            live.map(|attribute| Column {
                name: CStr::from_ptr(attribute.attname.data.as_ptr())
                    .to_bytes()
                    .to_vec(),
                number: attribute.attnum as usize,
                by_value: attribute.attbyval,
                length: attribute.attlen,
                kind: Kind::of(attribute.atttypid),
            })
            .collect()
        }
    }

    /// Whether values are written without functions of PostgreSQL.
    pub fn is_simple(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Jsonb | Kind::Output(_) | Kind::PinnedOutput(_) | Kind::Private
        )
    }

    /// Whether both rows hold the same image in this column. Equal values of different images count as
    /// different: types without equality (json, xml, point) can be compared no other way.
    pub fn same_image(&self, old: &Row, new: &Row) -> bool {
        match (old.value(self), new.value(self)) {
            (None, None) => true,
            // SAFETY: both are values of this column's type, not null.
            (Some(old), Some(new)) => unsafe { self.same_datum(old, new) },
            _ => false,
        }
    }

    unsafe fn same_datum(&self, old: Datum, new: Datum) -> bool {
        // SAFETY: callers pass two values of this column, not null.
        unsafe {
            match self.length {
                _ if self.by_value => old == new,
                -1 => same_varlena(old, new),
                -2 => CStr::from_ptr(old.cast_mut_ptr()) == CStr::from_ptr(new.cast_mut_ptr()),
                length => {
                    bytes(old.cast_mut_ptr(), length as usize) == bytes(new.cast_mut_ptr(), length as usize)
                }
            }
        }
    }

    /// Appends the value as JSON. False: this value cannot be part of a key.
    pub fn write_json(&self, row: &Row, out: &mut Vec<u8>) -> bool {
        let Some(value) = row.value(self) else {
            out.extend_from_slice(b"null");
            return true;
        };
        // SAFETY: the value is of this column's type, not null.
        unsafe {
            let is_long = self.length == -1 && pg_sys::toast_raw_datum_size(value) > LONGEST;
            !is_long && self.kind.write(value, out) && out.len() <= LONGEST
        }
    }
}

impl Kind {
    unsafe fn of(declared: Oid) -> Kind {
        // SAFETY: catalog look-ups inside a transaction, into variables of this frame.
        unsafe {
            // A domain writes like its base type.
            let type_oid = pg_sys::getBaseType(declared);
            match type_oid {
                oid if is_name_of_object(oid) => Kind::Oid,
                oid if holds_private(oid) => Kind::Private,
                pg_sys::BOOLOID => Kind::Bool,
                pg_sys::INT2OID => Kind::Int2,
                pg_sys::INT4OID => Kind::Int4,
                pg_sys::INT8OID => Kind::Int8,
                pg_sys::OIDOID => Kind::Oid,
                pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID => Kind::Text,
                pg_sys::NAMEOID => Kind::Name,
                pg_sys::UUIDOID => Kind::Uuid,
                pg_sys::JSONBOID => Kind::Jsonb,
                // As text: a document of the change key would lose its spaces and the order of its members.
                pg_sys::JSONOID => Kind::Text,
                _ => {
                    let (mut function, mut variable) = (Oid::INVALID, false);
                    pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut variable);
                    let free = type_oid == pg_sys::NUMERICOID || pg_sys::type_is_enum(type_oid);
                    if free {
                        Kind::Output(function)
                    } else {
                        Kind::PinnedOutput(function)
                    }
                }
            }
        }
    }

    unsafe fn write(&self, value: Datum, out: &mut Vec<u8>) -> bool {
        // SAFETY: callers pass a value of the type, not null.
        unsafe {
            match self {
                Kind::Bool => out.extend_from_slice(if value.value() as u8 != 0 {
                    b"true"
                } else {
                    b"false"
                }),
                Kind::Int2 => push_number(out, i64::from(value.value() as i16)),
                Kind::Int4 => push_number(out, i64::from(value.value() as i32)),
                Kind::Int8 => push_number(out, value.value() as i64),
                Kind::Oid => push_number(out, i64::from(value.value() as u32)),
                Kind::Name => text::push_string(out, CStr::from_ptr(value.cast_mut_ptr()).to_bytes()),
                Kind::Uuid => push_uuid(out, bytes(value.cast_mut_ptr(), 16)),
                Kind::Text => text::push_string(out, varlena_bytes(value)),
                Kind::Jsonb => {
                    return output(pg_sys::F_JSONB_OUT.into(), value)
                        .map(|json| text::push_document(out, json))
                        .is_some()
                }
                Kind::Output(function) => return push_output(out, *function, value),
                Kind::PinnedOutput(function) => {
                    let _settings = CanonicalText::new();
                    return push_output(out, *function, value);
                }
                Kind::Private => return false,
            }
            true
        }
    }
}

/// Whether the text of values has a meaning in the session that wrote it only: amounts of money, names of
/// objects inside arrays, ranges and rows.
unsafe fn holds_private(declared: Oid) -> bool {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe {
        let type_oid = pg_sys::getBaseType(declared);
        if type_oid == pg_sys::MONEYOID || is_name_of_object(type_oid) {
            return true;
        }
        let inside = match pg_sys::get_typtype(type_oid) as u8 {
            pg_sys::TYPTYPE_RANGE => pg_sys::get_range_subtype(type_oid),
            pg_sys::TYPTYPE_MULTIRANGE => pg_sys::get_multirange_range(type_oid),
            pg_sys::TYPTYPE_COMPOSITE => return composite_holds_private(type_oid),
            _ => pg_sys::get_element_type(type_oid),
        };
        inside != Oid::INVALID && holds_private(inside)
    }
}

unsafe fn composite_holds_private(type_oid: Oid) -> bool {
    // SAFETY: the descriptor is a copy of that of a composite type, with `natts` attributes.
    unsafe {
        pg_sys::check_stack_depth();
        let descriptor = pg_sys::lookup_rowtype_tupdesc_copy(type_oid, -1);
        attributes(descriptor)
            .iter()
            .any(|attribute| !attribute.attisdropped && holds_private(attribute.atttypid))
    }
}

/// Types whose text is a name looked up by search_path, but which also read a plain OID.
pub(super) fn is_name_of_object(oid: Oid) -> bool {
    matches!(
        oid,
        pg_sys::REGPROCOID
            | pg_sys::REGPROCEDUREOID
            | pg_sys::REGOPEROID
            | pg_sys::REGOPERATOROID
            | pg_sys::REGCLASSOID
            | pg_sys::REGTYPEOID
            | pg_sys::REGROLEOID
            | pg_sys::REGNAMESPACEOID
            | pg_sys::REGCONFIGOID
            | pg_sys::REGDICTIONARYOID
            | pg_sys::REGCOLLATIONOID
    )
}

/// Faster than `format!`: this runs for every key.
fn push_number(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

fn push_uuid(out: &mut Vec<u8>, uuid: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    out.push(b'"');
}

unsafe fn push_output(out: &mut Vec<u8>, function: Oid, value: Datum) -> bool {
    // SAFETY: callers pass the output function of the type of the value.
    unsafe {
        output(function, value)
            .map(|text| text::push_string(out, text))
            .is_some()
    }
}

/// None if the text is too long. The result lives in the current memory context, which the executor resets
/// after each trigger call.
unsafe fn output<'a>(function: Oid, value: Datum) -> Option<&'a [u8]> {
    // SAFETY: callers pass the output function of the type of the value, which returns a C string.
    unsafe {
        let text = CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, value)).to_bytes();
        (text.len() <= LONGEST).then_some(text)
    }
}

unsafe fn bytes<'a>(start: *mut u8, length: usize) -> &'a [u8] {
    // SAFETY: callers pass the start of as many bytes.
    unsafe { std::slice::from_raw_parts(start, length) }
}

unsafe fn varlena_bytes<'a>(value: Datum) -> &'a [u8] {
    // SAFETY: callers pass a value of variable length, not null.
    unsafe {
        let image: *mut pg_sys::varlena = value.cast_mut_ptr();
        data(if is_plain(image) {
            image
        } else {
            pg_sys::pg_detoast_datum_packed(image)
        })
    }
}

/// Neither compressed nor stored elsewhere.
unsafe fn is_plain(image: *mut pg_sys::varlena) -> bool {
    // SAFETY: callers pass a value of variable length.
    unsafe { pgrx::varatt_is_4b_u(image) || (pgrx::varatt_is_1b(image) && !pgrx::varatt_is_1b_e(image)) }
}

unsafe fn data<'a>(image: *mut pg_sys::varlena) -> &'a [u8] {
    // SAFETY: callers pass a plain value of variable length: its header says how many bytes follow.
    unsafe {
        bytes(
            pgrx::vardata_any(image).cast_mut().cast(),
            pgrx::varsize_any_exhdr(image),
        )
    }
}

unsafe fn same_varlena(old: Datum, new: Datum) -> bool {
    // SAFETY: callers pass two values of variable length, not null.
    unsafe {
        let (old_image, new_image): (*mut pg_sys::varlena, *mut pg_sys::varlena) =
            (old.cast_mut_ptr(), new.cast_mut_ptr());
        if is_plain(old_image) && is_plain(new_image) {
            return data(old_image) == data(new_image);
        }
        let (old_size, new_size) = (pgrx::varsize_any(old_image), pgrx::varsize_any(new_image));
        // The same bytes as stored: an untouched out-of-line value keeps its pointer.
        if old_size == new_size && bytes(old_image.cast(), old_size) == bytes(new_image.cast(), new_size) {
            return true;
        }
        pg_sys::toast_raw_datum_size(old) == pg_sys::toast_raw_datum_size(new)
            && varlena_bytes(old) == varlena_bytes(new)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written_as_rust_writes_them() {
        for number in [0, 7, -7, 10, -99, 100, i64::from(i32::MIN), i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            super::push_number(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}
