//! Either-or decisions met while unfolding a view (a branch of a UNION, a window): every
//! combination is gone through once.

/// More combinations than this are not followed; the sources of such a view are recomputed in full.
pub const LIMIT: usize = 256;

#[derive(Default)]
pub struct Choices {
    taken: Vec<usize>,
    sizes: Vec<usize>,
    at: usize,
}

impl Choices {
    /// Takes one of `options`, numbered from 0. The order of calls must depend on earlier answers only.
    pub fn take(&mut self, options: usize) -> usize {
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

    /// Goes on to the next combination; false when all have been seen.
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
        let mut choices = Choices::default();
        let mut seen = Vec::new();
        loop {
            let first = choices.take(2);
            // A choice that only exists on one side.
            let second = if first == 1 { choices.take(3) } else { 9 };
            seen.push((first, second));
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 9), (1, 0), (1, 1), (1, 2)]);
    }
}
