//! Makes a failing script small: leaves out whatever the failure does not need.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::oracle::{Failure, Player, Script};

/// How long to look for something smaller.
const PATIENCE: Duration = Duration::from_secs(90);

/// A smaller script that still fails, and how.
pub fn shrink(player: &mut Player, script: &Script, failure: Failure) -> (Script, Failure) {
    let mut work = Work {
        player,
        until: Instant::now() + PATIENCE,
        best: script.clone(),
        failure,
    };
    let mut smaller = script.clone();
    smaller.tviews = vec![script.tviews[work.failure.tview].clone()];
    smaller.steps.truncate(work.failure.steps);
    work.try_this(smaller);
    // Each pass may make room for another.
    loop {
        let before = work.size();
        work.leave_out_steps();
        work.leave_out_statements();
        work.leave_out_setup();
        work.cut_query();
        if work.size() == before || work.over() {
            return (work.best, work.failure);
        }
    }
}

/// A script that psql runs.
pub fn print(script: &Script) -> String {
    let mut text = String::from("CREATE EXTENSION pg_tviews;\n");
    for statement in &script.setup {
        let _ = writeln!(text, "{statement};");
    }
    for tview in &script.tviews {
        let _ = writeln!(text, "{};", tview.create());
    }
    for step in &script.steps {
        for statement in &step.statements {
            let _ = writeln!(text, "{statement};");
        }
        if step.compare {
            text.push_str("CALL pg_tviews_drain();\n");
        }
    }
    text.push_str("CALL pg_tviews_drain();\n");
    for tview in &script.tviews {
        let _ = writeln!(text, "SELECT * FROM pg_tviews_check('{}');", tview.entity);
    }
    text
}

struct Work<'p> {
    player: &'p mut Player,
    until: Instant,
    best: Script,
    failure: Failure,
}

impl Work<'_> {
    fn over(&self) -> bool {
        Instant::now() > self.until
    }

    fn size(&self) -> usize {
        print(&self.best).len()
    }

    fn try_this(&mut self, script: Script) -> bool {
        if self.over() {
            return false;
        }
        match self.player.play(&script) {
            Ok(Some(failure)) if failure.kind() == self.failure.kind() => {
                self.best = script;
                self.failure = failure;
                true
            }
            _ => false,
        }
    }

    fn leave_out_steps(&mut self) {
        for at in (0..self.best.steps.len()).rev() {
            let mut smaller = self.best.clone();
            smaller.steps.remove(at);
            if !smaller.steps.is_empty() && self.try_this(smaller) {
                continue;
            }
            let mut smaller = self.best.clone();
            if smaller.steps[at].compare {
                smaller.steps[at].compare = false;
                self.try_this(smaller);
            }
        }
    }

    fn leave_out_statements(&mut self) {
        for step in 0..self.best.steps.len() {
            for at in (0..self.best.steps[step].statements.len()).rev() {
                let mut smaller = self.best.clone();
                smaller.steps[step].statements.remove(at);
                self.try_this(smaller);
            }
        }
    }

    fn leave_out_setup(&mut self) {
        for at in (0..self.best.setup.len()).rev() {
            let mut smaller = self.best.clone();
            smaller.setup.remove(at);
            self.try_this(smaller);
        }
    }

    /// Cuts pieces out of the view's text; what is no SQL any more, or no view with keys, does not count.
    fn cut_query(&mut self) {
        let mut from = 0;
        while !self.over() {
            let text = self.best.tviews[0].sql.clone();
            let candidates = cuts(&text);
            let found = (from..candidates.len()).find(|at| {
                let mut smaller = self.best.clone();
                smaller.tviews[0].sql.clone_from(&candidates[*at]);
                self.try_this(smaller)
            });
            match found {
                Some(at) => from = at.saturating_sub(20),
                None => return,
            }
        }
    }
}

/// The text with one piece between word boundaries left out or made a constant, longest pieces first.
fn cuts(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut boundaries = vec![(0, 0)];
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => {
                boundaries.push((at, depth));
                depth += 1;
                boundaries.push((at + 1, depth));
            }
            ')' => {
                boundaries.push((at, depth));
                depth -= 1;
                boundaries.push((at + 1, depth));
            }
            ' ' | ',' => boundaries.push((at, depth)),
            _ => {}
        }
    }
    boundaries.push((text.len(), 0));
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (number, (start, depth)) in boundaries.iter().enumerate() {
        let ends = boundaries[number + 1..]
            .iter()
            .take_while(|(_, other)| other >= depth)
            .filter(|(_, other)| other == depth)
            .take(14);
        pieces.extend(ends.map(|(end, _)| (*start, *end)));
    }
    pieces.sort_by_key(|(start, end)| std::cmp::Reverse(end - start));
    let with = |(start, end): (usize, usize), new: &str| format!("{}{new}{}", &text[..start], &text[end..]);
    let shorter = pieces.iter().filter(|(start, end)| end - start > 1);
    shorter
        .flat_map(|piece| [with(*piece, ""), with(*piece, " true"), with(*piece, " 1")])
        .filter(|cut| cut.len() < text.len())
        .collect()
}
