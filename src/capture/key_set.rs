//! Distinct change keys, found by hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// By hashes, which need not be hashed again.
pub type ByHash<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// The hasher of [`ByHash`].
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

/// Distinct keys as the text of a JSON array under construction.
#[derive(Default)]
pub struct KeySet {
    text: Vec<u8>,
    /// Hash to (start, length) in `text`. A collision moves on to the next hash, so equality is exact.
    spans: ByHash<(usize, usize)>,
}

impl KeySet {
    /// Adds a key; false if it is in already.
    pub fn insert(&mut self, key: &[u8]) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let mut hash = hasher.finish();
        while let Some(&(start, length)) = self.spans.get(&hash) {
            if &self.text[start..start + length] == key {
                return false;
            }
            hash = hash.wrapping_add(1);
        }
        self.text.push(if self.text.is_empty() { b'[' } else { b',' });
        self.spans.insert(hash, (self.text.len(), key.len()));
        self.text.extend_from_slice(key);
        true
    }

    /// Adds the keys of another set.
    pub fn absorb(&mut self, other: &KeySet) {
        for &(start, length) in other.spans.values() {
            self.insert(&other.text[start..start + length]);
        }
    }

    /// Bytes of text so far.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no key in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The finished array; the set is not empty.
    pub fn into_json_array(mut self) -> Vec<u8> {
        self.text.push(b']');
        self.text
    }
}
