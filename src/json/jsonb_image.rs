//! The image of a `jsonb` value, as `jsonb_in` would make it, for what change keys are nearly always: an
//! array of flat objects of plain strings, whole numbers, booleans and nulls. All other JSON is left to
//! `jsonb_in`, which takes many times as long. PostgreSQL does not change the format, as `pg_upgrade` keeps
//! it on disk: see `jsonb.h` and `numeric.c`.

use super::flat::{Reader, Value};

/// Flags in the header of a container.
const ARRAY: u32 = 0x4000_0000;
const OBJECT: u32 = 0x2000_0000;

/// Kinds of an entry; below them is the length of its data, or the end of it.
const STRING: u32 = 0;
const NUMERIC: u32 = 0x1000_0000;
const FALSE: u32 = 0x2000_0000;
const TRUE: u32 = 0x3000_0000;
const NULL: u32 = 0x4000_0000;
const CONTAINER: u32 = 0x5000_0000;
/// Every so many entries, one has the end instead of the length.
const HAS_END: u32 = 0x8000_0000;
const STRIDE: usize = 32;

/// Bytes in front of the entries of an array: its length, and its header.
const IN_FRONT: usize = 8;

/// More text might not fit below the kind of an entry.
const LONGEST: usize = 16 << 20;

/// The value with its length word. None: not of that form.
pub fn of_array(json: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(json).filter(|_| json.len() <= LONGEST)?;
    // Room for the usual single key: a vector that grows takes longer.
    let mut members = Vec::with_capacity(4);
    // In front of the only object.
    let mut image = Vec::with_capacity(IN_FRONT + 4 + 4 * json.len());
    image.resize(IN_FRONT + 4, 0);
    if reader.object(&mut members)? {
        push_distinct(&mut image, &mut members)?;
    }
    let first = image.len() - IN_FRONT - 4;
    if first == 0 || reader.object(&mut members)? {
        return of_objects(json);
    }
    put(&mut image, 8, entry(0, CONTAINER, 0, first));
    finish(&mut image, 1);
    Some(image)
}

/// The same of any number of objects.
fn of_objects(json: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(json)?;
    let (mut entries, mut members): (Vec<u32>, _) = (Vec::new(), Vec::new());
    let mut objects = Vec::with_capacity(2 * json.len());
    while reader.object(&mut members)? {
        let start = objects.len();
        push_distinct(&mut objects, &mut members)?;
        entries.push(entry(entries.len(), CONTAINER, start, objects.len()));
    }
    let mut image = Vec::with_capacity(IN_FRONT + 4 * entries.len() + objects.len());
    image.resize(IN_FRONT, 0);
    entries.iter().for_each(|entry| push(&mut image, *entry));
    image.extend_from_slice(&objects);
    finish(&mut image, entries.len());
    Some(image)
}

/// Writes what is in front of the entries of an array.
fn finish(image: &mut [u8], entries: usize) {
    put(image, 0, length_word(image.len()));
    put(image, 4, ARRAY | entries as u32);
}

/// None: a member is there twice.
fn push_distinct(out: &mut Vec<u8>, members: &mut [(&[u8], Value)]) -> Option<()> {
    if members.len() > 1 {
        sort_distinct(members)?;
    }
    push_object(out, members);
    Some(())
}

/// The order of members in an object: the shorter name first. None: there is one twice.
fn sort_distinct(members: &mut [(&[u8], Value)]) -> Option<()> {
    members.sort_by_key(|(name, _)| (name.len(), *name));
    let distinct = members.windows(2).all(|pair| pair[0].0 != pair[1].0);
    distinct.then_some(())
}

/// All names, then all values.
fn push_object(out: &mut Vec<u8>, members: &[(&[u8], Value)]) {
    align(out);
    push(out, OBJECT | members.len() as u32);
    let mut at = out.len();
    out.resize(at + 8 * members.len(), 0);
    let data = out.len();
    let values = members.iter().map(|(_, value)| *value);
    let names = members.iter().map(|(name, _)| Value::Text(name));
    for (index, value) in names.chain(values).enumerate() {
        let start = out.len() - data;
        let kind = push_value(out, value);
        let entry = entry(index, kind, start, out.len() - data);
        put(out, at, entry);
        at += 4;
    }
}

fn push_value(out: &mut Vec<u8>, value: Value) -> u32 {
    match value {
        Value::Null => NULL,
        Value::Bool(false) => FALSE,
        Value::Bool(true) => TRUE,
        Value::Text(text) => {
            out.extend_from_slice(text);
            STRING
        }
        Value::Integer(number) => {
            align(out);
            push_numeric(out, number);
            NUMERIC
        }
    }
}

/// The `numeric` of a whole number in its short form.
fn push_numeric(out: &mut Vec<u8>, number: i64) {
    const SHORT: u16 = 0x8000;
    const NEGATIVE: u16 = 0x2000;
    // Of four decimal digits each, the last first.
    let mut digits = [0u16; 5];
    let mut count = 0;
    let mut rest = number.unsigned_abs();
    while rest > 0 {
        digits[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let sign = if number < 0 { NEGATIVE } else { 0 };
    let weight = count.saturating_sub(1) as u16;
    push(out, length_word(6 + 2 * (count - zeros)));
    out.extend_from_slice(&(SHORT | sign | weight).to_ne_bytes());
    for digit in digits[zeros..count].iter().rev() {
        out.extend_from_slice(&digit.to_ne_bytes());
    }
}

/// Entry number `index` of a container, whose data goes from `start` to `end`, counted from the first
/// entry's.
fn entry(index: usize, kind: u32, start: usize, end: usize) -> u32 {
    match index % STRIDE {
        0 => kind | HAS_END | end as u32,
        _ => kind | (end - start) as u32,
    }
}

/// In front of a value of so many bytes, these four included, that is neither compressed nor stored
/// elsewhere.
fn length_word(bytes: usize) -> u32 {
    if cfg!(target_endian = "little") {
        (bytes as u32) << 2
    } else {
        bytes as u32
    }
}

/// What is in front of the data of a container is a multiple of four bytes.
fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn push(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_ne_bytes());
}

fn put(out: &mut [u8], at: usize, word: u32) {
    out[at..at + 4].copy_from_slice(&word.to_ne_bytes());
}
