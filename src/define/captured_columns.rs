//! What the capture trigger of a source captures: the union over the TVIEWs that read the source.

use std::collections::BTreeSet;

use crate::catalog::trigger_argument::TriggerArgument;
use crate::lineage::Source;

/// Columns that a trigger captures and watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedColumns {
    /// Columns that make up a change key.
    pub keys: BTreeSet<String>,
    /// Columns whose updates are changes. None: all columns.
    pub watch: Option<BTreeSet<String>>,
    /// Columns that net changes tell; empty: no net change is told.
    pub net: BTreeSet<String>,
    /// Whether updates that change no column are changes, too.
    pub every_update: bool,
}

impl CapturedColumns {
    pub fn nothing() -> CapturedColumns {
        CapturedColumns {
            keys: BTreeSet::new(),
            watch: Some(BTreeSet::new()),
            net: BTreeSet::new(),
            every_update: false,
        }
    }

    /// The columns that a TVIEW needs of one of its sources.
    pub fn needed(source: &Source) -> CapturedColumns {
        let watched = |columns: &BTreeSet<String>| columns.union(&source.net).cloned().collect();
        CapturedColumns {
            keys: source.captured(),
            watch: source.watched.as_ref().map(watched),
            net: source.net.clone(),
            every_update: !source.versions.is_empty(),
        }
    }

    pub fn union(self, other: CapturedColumns) -> CapturedColumns {
        CapturedColumns {
            keys: self.keys.union(&other.keys).cloned().collect(),
            watch: self
                .watch
                .zip(other.watch)
                .map(|(a, b)| a.union(&b).cloned().collect()),
            net: self.net.union(&other.net).cloned().collect(),
            every_update: self.every_update || other.every_update,
        }
    }

    pub fn mentions(&self, column: &str) -> bool {
        let watch = self.watch.as_ref();
        self.keys.contains(column)
            || self.net.contains(column)
            || watch.is_some_and(|watch| watch.contains(column))
    }

    pub fn renamed(mut self, before: &str, after: &str) -> CapturedColumns {
        for names in [Some(&mut self.keys), self.watch.as_mut(), Some(&mut self.net)]
            .into_iter()
            .flatten()
        {
            if names.remove(before) {
                names.insert(after.to_string());
            }
        }
        self
    }

    /// The trigger's argument.
    pub fn argument(&self) -> String {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect();
        let argument = TriggerArgument {
            keys: Some(names(&self.keys)),
            watch: self.watch.as_ref().map(names),
            net: (!self.net.is_empty()).then(|| names(&self.net)),
            every_update: self.every_update,
        };
        argument.text()
    }

    /// What a trigger with this argument captures; None if the argument is invalid.
    pub fn parse(argument: &str) -> Option<CapturedColumns> {
        let argument = TriggerArgument::parse(argument.as_bytes());
        Some(CapturedColumns {
            keys: argument.keys?.into_iter().collect(),
            watch: argument.watch.map(|names| names.into_iter().collect()),
            net: argument.net.unwrap_or_default().into_iter().collect(),
            every_update: argument.every_update,
        })
    }
}
