//! Distinct change keys, or images of rows, found by hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

/// A map whose keys are hashes already.
pub type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Unchanged>>;

/// The hasher of [`ByHash`].
#[derive(Default)]
pub struct Unchanged(u64);

impl Hasher for Unchanged {
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

/// Up to this number, comparing with each key is cheaper than hashing.
pub const FEW: usize = 8;

/// Distinct keys as the text of a JSON array under construction.
#[derive(Debug, Default)]
pub struct KeySet {
    text: Vec<u8>,
    /// Start and length in `text` of each key.
    spans: Vec<(usize, usize)>,
    /// Places in `spans`, once there are more than a few. A collision uses the next hash, so equality is
    /// exact.
    by_hash: ByHash<usize>,
}

impl KeySet {
    /// Adds a key; false if the set has it already.
    pub fn insert(&mut self, key: &[u8]) -> bool {
        self.place(key).is_ok()
    }

    /// Adds a key, and returns its place in the order of addition; as an error if the set has it already.
    pub fn place(&mut self, key: &[u8]) -> Result<usize, usize> {
        let next = self.spans.len();
        if next < FEW {
            if let Some(place) = (0..next).find(|place| self.key(*place) == key) {
                return Err(place);
            }
        } else {
            if self.by_hash.is_empty() {
                for place in 0..FEW {
                    if let Ok(free) = self.free_hash(self.key(place)) {
                        self.by_hash.insert(free, place);
                    }
                }
            }
            self.by_hash.insert(self.free_hash(key)?, next);
        }
        self.text.reserve(key.len() + 2);
        self.text.push(if self.text.is_empty() { b'[' } else { b',' });
        self.spans.push((self.text.len(), key.len()));
        self.text.extend_from_slice(key);
        Ok(next)
    }

    /// Adds the keys of another set that is not needed any more. The smaller set is added to the larger one:
    /// nested savepoints would otherwise copy all keys at every level.
    pub fn merge(&mut self, mut other: KeySet) {
        if other.spans.len() > 2 * self.spans.len() {
            std::mem::swap(self, &mut other);
        }
        self.absorb(&other);
    }

    /// Adds the keys of another set.
    pub fn absorb(&mut self, other: &KeySet) {
        for key in other.keys() {
            self.insert(key);
        }
    }

    /// Bytes of text so far.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The finished array; the set is not empty.
    pub fn into_json_array(mut self) -> Vec<u8> {
        self.text.push(b']');
        self.text
    }

    /// All keys, in the order of addition.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.spans.len()).map(|place| self.key(place))
    }

    fn key(&self, place: usize) -> &[u8] {
        let (start, length) = self.spans[place];
        &self.text[start..start + length]
    }

    /// The hash to enter a key under; the place of the key if the set has it already.
    fn free_hash(&self, key: &[u8]) -> Result<u64, usize> {
        let mut hasher = DefaultHasher::new();
        hasher.write(key);
        let mut hash = hasher.finish();
        while let Some(&place) = self.by_hash.get(&hash) {
            if self.key(place) == key {
                return Err(place);
            }
            hash = hash.wrapping_add(1);
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_in_order_however_many() {
        for count in [1, FEW - 1, FEW, FEW + 1, 5 * FEW] {
            let mut set = KeySet::default();
            let keys: Vec<String> = (0..count).map(|n| format!("{{\"id\":{n}}}")).collect();
            for _ in 0..2 {
                let added = keys.iter().filter(|key| set.insert(key.as_bytes())).count();
                assert!(added == 0 || added == count);
            }
            let mut absorbed = KeySet::default();
            absorbed.insert(keys[count / 2].as_bytes());
            absorbed.absorb(&set);
            assert_eq!(absorbed.bytes(), set.bytes());
            let expected = format!("[{}]", keys.join(","));
            assert_eq!(set.into_json_array(), expected.into_bytes());
        }
    }
}
