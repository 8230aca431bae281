//! How changes of each source are followed, in words: as `pg_tview_definition` has it for reports.

use super::Plan;
use crate::lineage::Source;

impl Plan {
    /// For each source, in the order of [`Plan::source_oids`]: `keyed` or `full`. Then, each after a space, `declared`
    /// if some rows are found by what `fk_columns` declares, and `running` if aggregates over the source run along.
    pub fn strategies(&self) -> Vec<String> {
        self.lineage
            .sources
            .iter()
            .map(|source| self.strategy(source))
            .collect()
    }

    fn strategy(&self, source: &Source) -> String {
        let is_keyed = matches!(self.sources.get(&source.relation), Some(Some(_)));
        let mut words = vec![if is_keyed { "keyed" } else { "full" }];
        if source
            .occurrences
            .iter()
            .any(|occurrence| occurrence.is_declared())
        {
            words.push("declared");
        }
        if is_keyed && self.running.iter().any(|level| level.reads(source.relation)) {
            words.push("running");
        }
        words.join(" ")
    }
}
