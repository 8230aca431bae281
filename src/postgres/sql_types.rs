//! SQL types of function arguments and results that pgrx does not map, or maps for small values only.

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::nullable::Nullable;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{impl_sql_translatable, Array, FromDatum, IntoDatum};

use super::key_type::KeyType;
use super::process::memory;
use super::spi::Value;

/// The elements of an array of texts, not copied.
pub fn texts<'a>(array: &'a Array<'_, &'_ str>) -> Vec<Option<&'a str>> {
    memory::room(array.len() * size_of::<Option<&str>>());
    array.iter().collect()
}

/// The text of a value of any type with all its digits, as this session reads it.
pub fn text_of(value: pgrx::AnyElement) -> String {
    let of_type = KeyType::of(value.oid(), -1);
    let text = of_type.text(&Value::some(value.datum()));
    of_type.shown(&text.unwrap_or_default())
}

/// An argument of type `name`.
pub struct Name(pub String);

impl_sql_translatable!(Name, "name");

impl FromDatum for Name {
    unsafe fn from_polymorphic_datum(datum: Datum, is_null: bool, _type: Oid) -> Option<Name> {
        if is_null {
            return None;
        }
        // SAFETY: a `name` datum points at a NUL-terminated NameData.
        let text = unsafe { std::ffi::CStr::from_ptr(datum.cast_mut_ptr::<std::ffi::c_char>()) };
        Some(Name(text.to_string_lossy().into_owned()))
    }
}

// SAFETY: unboxed through FromDatum above.
unsafe impl<'fcx> ArgAbi<'fcx> for Name {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the SQL declaration says `name`; a NULL argument never gets here (STRICT).
        unsafe { arg.unbox_arg_using_from_datum().unwrap_or(Name(String::new())) }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}

/// An argument or a result of type `regclass`.
pub struct RegClass(pub Oid);

impl_sql_translatable!(RegClass, "regclass");

// SAFETY: regclass is an OID by value.
unsafe impl BoxRet for RegClass {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: an OID is passed by value.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0)) }
    }
}

impl IntoDatum for RegClass {
    fn into_datum(self) -> Option<Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> Oid {
        pg_sys::REGCLASSOID
    }
}

// SAFETY: regclass is an OID by value.
unsafe impl<'fcx> ArgAbi<'fcx> for RegClass {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the SQL declaration says `regclass`; a NULL argument never gets here (STRICT).
        unsafe { RegClass(arg.unbox_arg_using_from_datum::<Oid>().unwrap_or(Oid::INVALID)) }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum::<Oid>().map(RegClass).into() }
    }
}

/// An argument or a result of type `jsonb`, as text: however deep it is, and with all digits of its numbers.
pub struct Document(pub String);

impl_sql_translatable!(Document, "jsonb");

impl FromDatum for Document {
    unsafe fn from_polymorphic_datum(datum: Datum, is_null: bool, _type: Oid) -> Option<Document> {
        if is_null {
            return None;
        }
        // SAFETY: the output function of the type returns a C string.
        unsafe {
            let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            Some(Document(memory::text_of(text.cast_mut_ptr())))
        }
    }
}

impl IntoDatum for Document {
    fn into_datum(self) -> Option<Datum> {
        // JSON text holds no NUL byte.
        let text = std::ffi::CString::new(self.0).ok()?;
        // SAFETY: the input function of the type takes a C string.
        unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(Datum::from(text.as_ptr()))]) }
    }

    fn type_oid() -> Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the datum was made by the input function of the type.
unsafe impl BoxRet for Document {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a value of the declared type.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: unboxed through FromDatum above.
unsafe impl<'fcx> ArgAbi<'fcx> for Document {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the SQL declaration says `jsonb`; a NULL argument never gets here (STRICT).
        unsafe {
            arg.unbox_arg_using_from_datum()
                .unwrap_or(Document(String::new()))
        }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}
