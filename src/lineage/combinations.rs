//! Choices met while unfolding a view: which branch of a UNION, which window. Each combination of choices is
//! visited once.

/// The maximum number of combinations. A view with more is recomputed as a whole, whichever source changes.
pub const LIMIT: usize = 256;

#[derive(Default)]
pub struct Combinations {
    taken: Vec<usize>,
    sizes: Vec<usize>,
    at: usize,
}

impl Combinations {
    /// Chooses one of `options`, numbered from 0. The order of calls must depend on earlier answers only.
    pub fn choose(&mut self, options: usize) -> usize {
        if options <= 1 {
            return 0;
        }
        if self.at == self.taken.len() {
            self.taken.push(0);
            self.sizes.push(options);
        }
        self.at += 1;
        self.taken[self.at - 1]
    }

    /// Moves on to the next combination; false after the last.
    pub fn advance(&mut self) -> bool {
        self.at = 0;
        while let (Some(last), Some(size)) = (self.taken.pop(), self.sizes.pop()) {
            if last + 1 < size {
                self.taken.push(last + 1);
                self.sizes.push(size);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_every_combination_once() {
        let mut combinations = Combinations::default();
        let mut seen = Vec::new();
        loop {
            let first = combinations.choose(2);
            // A choice that only exists on one side.
            let second = if first == 1 { combinations.choose(3) } else { 9 };
            seen.push((first, second));
            if !combinations.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 9), (1, 0), (1, 1), (1, 2)]);
    }
}
