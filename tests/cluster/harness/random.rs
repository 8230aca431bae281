//! Repeatable randomness: the seed is printed, and `PG_TVIEWS_TEST_SEED` sets it.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator (xorshift); good enough to mix statements.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// A new seed, or the one asked for; printed, so that a failing test shows it.
    pub fn announced(test: &str) -> Self {
        let asked = std::env::var("PG_TVIEWS_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_nanos() as u64 % 1_000_000_007
        });
        println!("{test}: PG_TVIEWS_TEST_SEED={seed}");
        Self::from_seed(seed)
    }

    /// Seeds of random schemas or queries: `rounds` of them, or as many as `PG_TVIEWS_FUZZ_ROUNDS` asks for (`make fuzz`),
    /// from `PG_TVIEWS_FUZZ_SEED` on. Only where many are asked for they are new ones: else a run tells of the code, and not
    /// of its luck.
    pub fn seeds(test: &str, rounds: u64) -> Range<u64> {
        let asked = |name: &str| {
            let value = std::env::var(name).ok();
            value.and_then(|value| value.parse::<u64>().ok())
        };
        let many = asked("PG_TVIEWS_FUZZ_ROUNDS");
        let new = |_| Self::announced(test).upto(1_000_000_000);
        let first = asked("PG_TVIEWS_FUZZ_SEED")
            .or_else(|| many.map(new))
            .unwrap_or(1);
        first..first + many.unwrap_or(rounds)
    }

    /// The generator of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.next();
        random
    }

    /// An independent generator, the `index`-th of this one.
    pub fn branch(&self, index: u64) -> Self {
        Self::from_seed(self.0.wrapping_add(index))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// A number from 1 to `limit`.
    pub fn upto(&mut self, limit: u64) -> u64 {
        1 + self.next() % limit
    }

    /// True in `percent` of the calls.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.upto(100) <= percent
    }

    /// One of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.upto(items.len() as u64) as usize - 1]
    }

    /// Replaces every `{n}` of a statement with a number from 1 to n.
    pub fn fill(&mut self, template: &str) -> String {
        let mut text = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let (before, from) = rest.split_at(open);
            text.push_str(before);
            let number = from
                .find('}')
                .and_then(|close| Some((close, from[1..close].parse().ok()?)));
            match number {
                Some((close, limit)) => {
                    text.push_str(&self.upto(limit).to_string());
                    rest = &from[close + 1..];
                }
                None => {
                    text.push('{');
                    rest = &from[1..];
                }
            }
        }
        text + rest
    }
}
