//! Records that are too many for memory, in a temporary file of PostgreSQL: all are written, then read in the
//! same order. The file outlives transactions; `temp_file_limit` applies to it.

use std::ffi::c_void;

use pgrx::pg_sys;

pub struct Spill {
    file: *mut pg_sys::BufFile,
    /// Records that are not read yet.
    left: usize,
    reading: bool,
}

impl Spill {
    pub fn new() -> Spill {
        // SAFETY: the file and its buffer live in a context that lasts, and belong to no transaction.
        unsafe {
            let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let owner = pg_sys::CurrentResourceOwner;
            pg_sys::CurrentResourceOwner = std::ptr::null_mut();
            let file = pg_sys::BufFileCreateTemp(true);
            pg_sys::CurrentResourceOwner = owner;
            pg_sys::MemoryContextSwitchTo(context);
            Spill {
                file,
                left: 0,
                reading: false,
            }
        }
    }

    /// Appends a record; not after the first was read.
    pub fn write(&mut self, record: &[u8]) {
        assert!(!self.reading, "a spill is written before it is read");
        let length = record.len().to_ne_bytes();
        // SAFETY: the file is open; it reads as many bytes as the slices have.
        unsafe {
            pg_sys::BufFileWrite(
                self.file,
                length.as_ptr().cast_mut().cast::<c_void>(),
                length.len(),
            );
            pg_sys::BufFileWrite(
                self.file,
                record.as_ptr().cast_mut().cast::<c_void>(),
                record.len(),
            );
        }
        self.left += 1;
    }

    /// The next record.
    pub fn read(&mut self) -> Option<Vec<u8>> {
        self.left = self.left.checked_sub(1)?;
        if !self.reading {
            self.reading = true;
            // SAFETY: the file is open.
            unsafe { pg_sys::BufFileSeek(self.file, 0, 0, SEEK_SET) };
        }
        let mut length = [0; size_of::<usize>()];
        self.fill(&mut length);
        let mut record = vec![0; usize::from_ne_bytes(length)];
        self.fill(&mut record);
        Some(record)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        // SAFETY: the file is open; it writes no more bytes than the slice has.
        let read =
            unsafe { pg_sys::BufFileRead(self.file, bytes.as_mut_ptr().cast::<c_void>(), bytes.len()) };
        if read != bytes.len() {
            pgrx::error!(
                "could not read from a temporary file: {read} of {} bytes",
                bytes.len()
            );
        }
    }
}

const SEEK_SET: i32 = 0;

impl Default for Spill {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // SAFETY: the file is open and nobody else closes it.
        unsafe { pg_sys::BufFileClose(self.file) };
    }
}
