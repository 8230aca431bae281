//! Rows that a function returns: in memory while they are few, else in a temporary file.

use std::io::Write;

use super::process::memory;
use super::spill::Spill;

/// More bytes than this are not kept in memory.
const MOST_BYTES: usize = 8 << 20;
/// Bytes of rows that are written to the file as one.
const PER_RECORD: usize = 64 << 10;

/// Rows of texts, in the order in which they were pushed; a text may be missing.
#[derive(Default)]
pub struct Collected<const COLUMNS: usize> {
    /// The rows in memory, as one text. Rows in the file come before them.
    text: Vec<u8>,
    file: Option<Spill>,
}

impl<const COLUMNS: usize> Collected<COLUMNS> {
    pub fn push(&mut self, row: [Option<&str>; COLUMNS]) {
        for value in row {
            // Writing into a Vec does not fail.
            let _ = self.text.write_all(&length(value).to_ne_bytes());
            let _ = self.text.write_all(value.unwrap_or_default().as_bytes());
        }
        let most = match self.file {
            Some(_) => PER_RECORD,
            None => MOST_BYTES,
        };
        if self.text.len() > most {
            memory::check();
            self.file.get_or_insert_default().write(&self.text);
            self.text.clear();
            self.text.shrink_to(2 * PER_RECORD);
        }
    }
}

/// `usize::MAX` stands for a missing text.
fn length(value: Option<&str>) -> usize {
    value.map_or(usize::MAX, str::len)
}

impl<const COLUMNS: usize> IntoIterator for Collected<COLUMNS> {
    type Item = [Option<String>; COLUMNS];
    type IntoIter = Reading<COLUMNS>;

    fn into_iter(mut self) -> Reading<COLUMNS> {
        if let Some(file) = &mut self.file {
            file.write(&self.text);
            self.text = Vec::new();
        }
        Reading {
            text: self.text,
            at: 0,
            file: self.file,
        }
    }
}

/// Rows that are read back.
pub struct Reading<const COLUMNS: usize> {
    text: Vec<u8>,
    at: usize,
    file: Option<Spill>,
}

impl<const COLUMNS: usize> Reading<COLUMNS> {
    fn take(&mut self, bytes: usize) -> &[u8] {
        let start = self.at;
        self.at += bytes;
        &self.text[start..self.at]
    }

    fn value(&mut self) -> Option<String> {
        let mut length = [0; size_of::<usize>()];
        length.copy_from_slice(self.take(size_of::<usize>()));
        match usize::from_ne_bytes(length) {
            usize::MAX => None,
            bytes => Some(String::from_utf8_lossy(self.take(bytes)).into_owned()),
        }
    }
}

impl<const COLUMNS: usize> Iterator for Reading<COLUMNS> {
    type Item = [Option<String>; COLUMNS];

    fn next(&mut self) -> Option<Self::Item> {
        pgrx::check_for_interrupts!();
        while self.at == self.text.len() {
            self.text = self.file.as_mut()?.read()?;
            self.at = 0;
        }
        Some(std::array::from_fn(|_| self.value()))
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::*;

    fn read_back(rows: usize, width: usize) -> bool {
        let text = |row: usize| format!("{row}{}", "x".repeat(width));
        let mut collected = Collected::default();
        for row in 0..rows {
            collected.push([(row % 3 > 0).then_some(&text(row)[..]), Some("é")]);
        }
        let spilled = collected.file.is_some();
        let mut number = 0;
        for (row, [first, second]) in collected.into_iter().enumerate() {
            assert_eq!(first, (row % 3 > 0).then(|| text(row)));
            assert_eq!(second.as_deref(), Some("é"));
            number += 1;
        }
        assert_eq!(number, rows);
        spilled
    }

    #[pg_test]
    fn rows_come_back_as_they_were() {
        assert!(!read_back(0, 1));
        assert!(!read_back(10, 1));
        assert!(read_back(10_000, 1_500));
        assert!(read_back(10, 2 << 20));
    }
}
