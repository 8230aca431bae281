//! Which conditions can be pushed below windows, DISTINCT ON, LIMIT and GROUPING SETS.

use super::level::Level;
use super::lookup_order::Item;
use crate::postgres::inheritance;
use crate::postgres::query_tree::{Expr, JoinKind, Range};

impl Level<'_> {
    /// The conditions of `known` that can be pushed below the windows, DISTINCT ON, LIMIT and GROUPING SETS
    /// of this level. If none can, the level may be joined with the partitions of the rows that are computed;
    /// then their range is returned.
    pub fn past_windows(&self, known: Vec<Expr>) -> (Vec<Expr>, Option<usize>) {
        let select = self.select;
        if !select.limits().is_empty() || select.grouping_sets() {
            return (Vec::new(), None);
        }
        let mut partitions = select.partitions();
        partitions.extend(Some(select.distinct_on()).filter(|on| !on.is_empty()));
        let plain = |expr: Expr| select.without_join_aliases(expr);
        let is_part = |side: Expr| {
            partitions.iter().all(|partition| {
                partition
                    .iter()
                    .any(|(part, _)| plain(*part).same_as(&plain(side)))
            })
        };
        let passes = |condition: &Expr| {
            condition.as_equality().is_some_and(|op| {
                [op.left, op.right]
                    .into_iter()
                    .all(|side| side.ranges().is_empty() || is_part(side))
            })
        };
        let (through, stopped): (Vec<Expr>, Vec<Expr>) = known
            .into_iter()
            .partition(|condition| partitions.is_empty() || passes(condition));
        if !through.is_empty() || stopped.is_empty() {
            return (through, None);
        }
        let computes_more = select.groups()
            || select.aggregates()
            || select.is_volatile()
            || select.targets().iter().any(|target| target.expr.survey().sets);
        match select.only_partition() {
            Some(partition)
                if !computes_more && partition.iter().all(|part| part.survey().links.is_empty()) =>
            {
                let not_null: Vec<bool> = partition
                    .iter()
                    .map(|part| self.is_never_null(plain(*part)))
                    .collect();
                (Vec::new(), Some(select.join_with_partitions(&stopped, &not_null)))
            }
            _ => (Vec::new(), None),
        }
    }

    /// Whether this is a NOT NULL column of a table that no outer join leaves out.
    pub fn is_never_null(&self, expr: Expr) -> bool {
        let Some(column) = expr.as_column().filter(|column| column.levels_up == 0) else {
            return false;
        };
        let Range::Table {
            oid, with_children, ..
        } = self.select.range(column.range)
        else {
            return false;
        };
        let mut items = Vec::new();
        for item in self.select.from() {
            self.survey(&item, &mut Vec::new(), &mut items, &mut Vec::new());
        }
        let is_optional = |item: &Item| item.path.iter().any(|step| step.kind != JoinKind::Inner);
        inheritance::column_not_null(oid, column.attno, with_children)
            && items
                .iter()
                .any(|item| item.index == column.range && !is_optional(item))
    }
}
