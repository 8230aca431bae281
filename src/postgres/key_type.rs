//! Values of a key column as texts that no setting touches, and back. Every key that leaves the statement
//! that found it is written by this file: for another statement, the queue, the dead letter table, a part of
//! a backlog, or a user.

use std::ffi::CString;

use pgrx::pg_sys::{self, Datum, Oid};

use super::canonical::CanonicalText;
use super::column::is_name_of_object;
use super::process::memory;
use super::spi::Value;
use crate::json::text;

/// The type of a key column, without its domains: their conditions are for the statements that write rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyType {
    base: Oid,
    modifier: i32,
    /// The array type that several values are passed as; None: as an array of texts.
    array: Option<Oid>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    /// An OID, or the name of an object: the object may be gone when it is read.
    Oid,
    /// Its text depends on lc_monetary; the number behind it does not.
    Money,
    Jsonb,
    Other {
        input: Oid,
        io_parameter: Oid,
        output: Oid,
    },
}

impl KeyType {
    /// Of a column declared like this.
    pub fn of(declared: Oid, modifier: i32) -> KeyType {
        let mut modifier = modifier;
        // SAFETY: catalog look-ups inside a transaction; the results are plain numbers.
        unsafe {
            let base = pg_sys::getBaseTypeAndTypmod(declared, &mut modifier);
            // unnest() takes an array of arrays apart to the last, and rows into their columns.
            let nested = pg_sys::get_element_type(base) != Oid::INVALID || pg_sys::type_is_rowtype(base);
            let array = if nested {
                Oid::INVALID
            } else {
                pg_sys::get_array_type(base)
            };
            KeyType {
                base,
                modifier,
                array: (array != Oid::INVALID).then_some(array),
                kind: Kind::of(base),
            }
        }
    }

    /// The type without its domains.
    pub fn base(&self) -> Oid {
        self.base
    }

    /// Whether values are arrays or rows.
    pub fn is_nested(&self) -> bool {
        // SAFETY: catalog look-ups inside a transaction.
        unsafe { pg_sys::get_element_type(self.base) != Oid::INVALID || pg_sys::type_is_rowtype(self.base) }
    }

    /// The type of [`KeyType::parameter`].
    pub fn parameter_type(&self) -> Oid {
        self.array.unwrap_or(pg_sys::TEXTARRAYOID)
    }

    /// Whether several values can be one array of the type: no arrays and rows.
    pub fn has_arrays(&self) -> bool {
        self.array.is_some()
    }

    /// The text of a value of this type; None for NULL.
    pub fn text(&self, value: &Value) -> Option<String> {
        if value.is_null() {
            return None;
        }
        let datum = value.datum();
        Some(match self.kind {
            Kind::Bool => (if datum.value() as u8 != 0 { "t" } else { "f" }).to_string(),
            Kind::Int2 => (datum.value() as i16).to_string(),
            Kind::Int4 => (datum.value() as i32).to_string(),
            Kind::Int8 | Kind::Money => (datum.value() as i64).to_string(),
            Kind::Oid => (datum.value() as u32).to_string(),
            Kind::Jsonb => self.output(datum),
            Kind::Other { output, .. } => {
                let _settings = CanonicalText::new();
                // SAFETY: the value is of this type, not null; the result is a C string of our own.
                unsafe { taken(pg_sys::OidOutputFunctionCall(output, datum)) }
            }
        })
    }

    /// The value that [`KeyType::text`] wrote. Raises an ERROR if the text is no value of the type.
    fn value(&self, text: &str) -> Datum {
        let number = match self.kind {
            Kind::Int2 => text.parse::<i16>().ok().map(Datum::from),
            Kind::Int4 => text.parse::<i32>().ok().map(Datum::from),
            Kind::Int8 | Kind::Money => text.parse::<i64>().ok().map(Datum::from),
            Kind::Oid => text.parse::<u32>().ok().map(Datum::from),
            Kind::Bool | Kind::Jsonb | Kind::Other { .. } => None,
        };
        number.unwrap_or_else(|| {
            let _settings = CanonicalText::new();
            self.read(text)
        })
    }

    /// The normal text of a value that was written under the same settings as by [`KeyType::text`], but in
    /// another form: `5.0`, `true`.
    pub fn normal(&self, text: &str) -> String {
        let value = Value::some(self.value(text));
        self.text(&value).unwrap_or_default()
    }

    /// The normal text of a value that a user has written, read under the settings of the session. Raises an
    /// ERROR if the text is no value of the type.
    pub fn given(&self, text: &str) -> String {
        let value = Value::some(self.read(text));
        self.text(&value).unwrap_or_default()
    }

    /// A value as a user would write it in this session.
    pub fn shown(&self, text: &str) -> String {
        if self.kind != Kind::Money {
            return text.to_string();
        }
        self.output(self.value(text))
    }

    /// The text by the output function of the type, under the current settings.
    fn output(&self, value: Datum) -> String {
        let (mut output, mut varlena) = (Oid::INVALID, false);
        // SAFETY: the value is one of this type; the result is a C string of our own.
        unsafe {
            pg_sys::getTypeOutputInfo(self.base, &mut output, &mut varlena);
            taken(pg_sys::OidOutputFunctionCall(output, value))
        }
    }

    /// The value by the input function of the type, under the current settings.
    fn read(&self, text: &str) -> Datum {
        let text = CString::new(text).unwrap_or_default();
        let (mut input, mut io_parameter) = (Oid::INVALID, Oid::INVALID);
        // SAFETY: the function is that of the type; it copies what it needs of the text.
        unsafe {
            match self.kind {
                Kind::Other {
                    input: known,
                    io_parameter: its,
                    ..
                } => (input, io_parameter) = (known, its),
                _ => pg_sys::getTypeInputInfo(self.base, &mut input, &mut io_parameter),
            }
            pg_sys::OidInputFunctionCall(input, text.as_ptr().cast_mut(), io_parameter, self.modifier)
        }
    }

    /// One value as a parameter, with its type.
    pub fn single(&self, text: &str) -> (Oid, Value) {
        (self.base, Value::some(self.value(text)))
    }

    /// Several values as one parameter.
    pub fn parameter(&self, texts: &[String]) -> Value {
        if self.array.is_none() {
            return Value::of(texts.to_vec());
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        let mut values: Vec<Datum> = texts.iter().map(|text| self.value(text)).collect();
        // SAFETY: as many values of the type as there are texts; they are copied into the array.
        unsafe {
            pg_sys::get_typlenbyvalalign(self.base, &mut length, &mut by_value, &mut align);
            let array = pg_sys::construct_array(
                values.as_mut_ptr(),
                values.len() as i32,
                self.base,
                length.into(),
                by_value,
                align,
            );
            Value::some(Datum::from(array))
        }
    }

    /// Appends a value as JSON, as [`KeyType::push_json`] does.
    pub fn push_value(&self, value: &Value, out: &mut Vec<u8>) {
        match self.text(value) {
            Some(text) => self.push_json(&text, out),
            None => out.extend_from_slice(b"null"),
        }
    }

    /// Appends a text as JSON, in the way that capture writes values: whole numbers, truth values and
    /// documents as they are, everything else as a string, so that no digits are lost.
    pub fn push_json(&self, text: &str, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Bool => out.extend_from_slice(if text == "t" { b"true" } else { b"false" }),
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Oid | Kind::Money => {
                out.extend_from_slice(text.as_bytes())
            }
            Kind::Jsonb => text::push_document(out, text.as_bytes()),
            Kind::Other { .. } => text::push_string(out, text.as_bytes()),
        }
    }
}

impl Kind {
    unsafe fn of(base: Oid) -> Kind {
        // SAFETY: catalog look-ups inside a transaction, into variables of this frame.
        unsafe {
            match base {
                pg_sys::BOOLOID => Kind::Bool,
                pg_sys::INT2OID => Kind::Int2,
                pg_sys::INT4OID => Kind::Int4,
                pg_sys::INT8OID => Kind::Int8,
                pg_sys::OIDOID => Kind::Oid,
                pg_sys::MONEYOID => Kind::Money,
                pg_sys::JSONBOID => Kind::Jsonb,
                oid if is_name_of_object(oid) => Kind::Oid,
                _ => {
                    let (mut input, mut io_parameter) = (Oid::INVALID, Oid::INVALID);
                    let (mut output, mut varlena) = (Oid::INVALID, false);
                    pg_sys::getTypeInputInfo(base, &mut input, &mut io_parameter);
                    pg_sys::getTypeOutputInfo(base, &mut output, &mut varlena);
                    Kind::Other {
                        input,
                        io_parameter,
                        output,
                    }
                }
            }
        }
    }
}

/// A C string that an output function has made.
unsafe fn taken(text: *mut std::ffi::c_char) -> String {
    // SAFETY: callers pass a C string of their own, which is not used again.
    unsafe {
        let copy = memory::text_of(text);
        pg_sys::pfree(text.cast());
        copy
    }
}
