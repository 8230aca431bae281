//! Alternatives measured in turn, so that each meets the same noise; medians, and the median of ratios per round.

use std::fmt;
use std::time::Instant;

/// One alternative's figures, one per round.
pub struct Measured {
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Measured {
    /// Figures taken otherwise.
    pub fn of(unit: &'static str, rounds: Vec<f64>) -> Self {
        Self { unit, rounds }
    }

    /// Adds the rounds of another.
    pub fn append(&mut self, mut other: Measured) {
        self.rounds.append(&mut other.rounds);
    }

    /// The median.
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The median of what this is to the other, round by round.
    pub fn ratio_to(&self, other: &Measured) -> f64 {
        self.per(other).median()
    }

    /// What this is to the other in each round.
    pub fn per(&self, other: &Measured) -> Measured {
        let rounds = self.rounds.iter().zip(&other.rounds);
        Measured::of("", rounds.map(|(mine, theirs)| mine / theirs).collect())
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let median = self.median();
        let digits = if median < 10.0 { 2 } else { 0 };
        let space = if self.unit.is_empty() { "" } else { " " };
        write!(f, "{median:.digits$}{space}{}", self.unit)
    }
}

/// Runs the alternatives in turn, forwards and backwards, `rounds` times.
pub fn in_turn<const N: usize>(
    rounds: usize,
    unit: &'static str,
    alternatives: [&mut dyn FnMut() -> f64; N],
) -> [Measured; N] {
    let mut measured = [const { Vec::new() }; N];
    for round in 0..rounds {
        for turn in 0..N {
            let index = if round % 2 == 0 { turn } else { N - 1 - turn };
            measured[index].push(alternatives[index]());
        }
    }
    measured.map(|rounds| Measured { unit, rounds })
}

/// Milliseconds that something takes.
pub fn milliseconds(something: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    something();
    begin.elapsed().as_secs_f64() * 1000.0
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 0.5)
}

/// The value that a share of the others is below.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    assert!(!values.is_empty(), "nothing measured");
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
