//! Where a search in shared memory begins.

/// Spreads neighbouring OIDs (Fibonacci hashing).
pub fn hash(value: u64) -> u64 {
    value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}
