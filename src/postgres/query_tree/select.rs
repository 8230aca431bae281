//! One level of an analysed SELECT.

use pgrx::pg_sys::{self, Oid};

use super::expression::SubLink;
use super::handles::{Expr, Select};
use super::lists::{pointers, string};
use super::ranges::{From, Range};
use crate::postgres::recursion;

/// An output column.
pub struct Target {
    pub name: String,
    pub expr: Expr,
    /// Not visible outside: only there to be sorted or grouped by.
    pub hidden: bool,
}

pub struct Cte {
    pub name: String,
    pub recursive: bool,
    pub query: Select,
    pub(super) node: *mut pg_sys::CommonTableExpr,
}

pub enum Distinct {
    No,
    All,
    On(Vec<Expr>),
}

impl Select {
    /// # Safety
    /// `node` is a Query of a SELECT.
    pub(in crate::postgres) unsafe fn from_node(node: *mut pg_sys::Node) -> Select {
        Select(node.cast())
    }

    pub(in crate::postgres) fn as_node(&self) -> *mut pg_sys::Node {
        self.0.cast()
    }

    pub(super) fn node(&self) -> *mut pg_sys::Node {
        self.0.cast()
    }

    /// Whether it calls functions, or casts values, whose results can depend on settings or on more than
    /// their arguments; also in sub-selects, not in views that it reads.
    pub fn depends_on_settings(&self) -> bool {
        // SAFETY: a valid query, which is not changed.
        unsafe { pg_sys::contain_mutable_functions(self.node()) }
    }

    pub fn targets(&self) -> Vec<Target> {
        // SAFETY: the target list holds TargetEntry nodes.
        unsafe {
            pointers::<pg_sys::TargetEntry>((*self.0).targetList)
                .into_iter()
                .map(|entry| Target {
                    name: string((*entry).resname),
                    expr: Expr((*entry).expr.cast()),
                    hidden: (*entry).resjunk,
                })
                .collect()
        }
    }

    /// Type and modifier of each visible output column.
    pub fn output_types(&self) -> Vec<(Oid, i32)> {
        // SAFETY: reads the target expressions.
        unsafe {
            self.targets()
                .iter()
                .filter(|target| !target.hidden)
                .map(|target| {
                    (
                        pg_sys::exprType(target.expr.0.cast()),
                        pg_sys::exprTypmod(target.expr.0.cast()),
                    )
                })
                .collect()
        }
    }

    pub fn condition(&self) -> Option<Expr> {
        // SAFETY: reads the join tree.
        unsafe {
            let tree = (*self.0).jointree;
            (!tree.is_null() && !(*tree).quals.is_null()).then(|| Expr((*tree).quals))
        }
    }

    pub fn having(&self) -> Option<Expr> {
        // SAFETY: reads a field.
        unsafe { (!(*self.0).havingQual.is_null()).then(|| Expr((*self.0).havingQual)) }
    }

    /// LIMIT and OFFSET.
    pub fn limits(&self) -> Vec<Expr> {
        // SAFETY: reads two fields.
        unsafe {
            [(*self.0).limitCount, (*self.0).limitOffset]
                .into_iter()
                .filter(|node| !node.is_null())
                .map(Expr)
                .collect()
        }
    }

    /// How far the frames of windows reach, where that is an expression.
    pub fn frame_offsets(&self) -> Vec<Expr> {
        // SAFETY: reads fields of WindowClause nodes.
        unsafe {
            pointers::<pg_sys::WindowClause>((*self.0).windowClause)
                .into_iter()
                .flat_map(|window| [(*window).startOffset, (*window).endOffset])
                .filter(|node| !node.is_null())
                .map(Expr)
                .collect()
        }
    }

    pub fn groups(&self) -> bool {
        // SAFETY: reads a field.
        unsafe { !(*self.0).groupClause.is_null() }
    }

    /// The output columns that rows are grouped by, if these together are different in every row. None if the
    /// query groups by something that it does not output, and where one group can be several rows.
    pub fn grouped_columns(&self) -> Option<Vec<Target>> {
        // SAFETY: reads fields; the clause holds SortGroupClause nodes that refer into the target list.
        unsafe {
            let query = &*self.0;
            if query.groupClause.is_null() || !query.groupingSets.is_null() || query.hasTargetSRFs {
                return None;
            }
            pointers::<pg_sys::SortGroupClause>(query.groupClause)
                .into_iter()
                .map(|item| {
                    let entry = pg_sys::get_sortgroupclause_tle(item, query.targetList);
                    (!(*entry).resjunk).then(|| Target {
                        name: string((*entry).resname),
                        expr: Expr((*entry).expr.cast()),
                        hidden: false,
                    })
                })
                .collect()
        }
    }

    /// FOR UPDATE and the like.
    pub fn locks_rows(&self) -> bool {
        // SAFETY: reads the tree.
        unsafe { !(*self.0).rowMarks.is_null() }
    }

    pub fn grouping_sets(&self) -> bool {
        // SAFETY: reads a field.
        unsafe { !(*self.0).groupingSets.is_null() }
    }

    pub fn aggregates(&self) -> bool {
        // SAFETY: reads a field.
        unsafe { (*self.0).hasAggs }
    }

    pub fn distinct(&self) -> Distinct {
        // SAFETY: the clause refers into the target list.
        unsafe {
            if (*self.0).distinctClause.is_null() {
                Distinct::No
            } else if (*self.0).hasDistinctOn {
                Distinct::On(
                    self.clause_exprs((*self.0).distinctClause)
                        .into_iter()
                        .map(|c| c.0)
                        .collect(),
                )
            } else {
                Distinct::All
            }
        }
    }

    /// For every window: the expressions it is partitioned by, each with its equality operator.
    pub fn partitions(&self) -> Vec<Vec<(Expr, Oid)>> {
        // SAFETY: the clause refers into the target list.
        unsafe {
            if !(*self.0).hasWindowFuncs {
                return Vec::new();
            }
            pointers::<pg_sys::WindowClause>((*self.0).windowClause)
                .into_iter()
                .map(|window| self.clause_exprs((*window).partitionClause))
                .collect()
        }
    }

    /// The expressions of DISTINCT ON, each with its equality operator.
    pub fn distinct_on(&self) -> Vec<(Expr, Oid)> {
        // SAFETY: the clause refers into the target list.
        unsafe {
            if (*self.0).hasDistinctOn {
                self.clause_exprs((*self.0).distinctClause)
            } else {
                Vec::new()
            }
        }
    }

    unsafe fn clause_exprs(&self, clause: *mut pg_sys::List) -> Vec<(Expr, Oid)> {
        // SAFETY: the clause holds SortGroupClause nodes that refer into the target list.
        unsafe {
            pointers::<pg_sys::SortGroupClause>(clause)
                .into_iter()
                .map(|item| {
                    let expr = pg_sys::get_sortgroupclause_expr(item, (*self.0).targetList);
                    (Expr(expr), (*item).eqop)
                })
                .collect()
        }
    }

    /// For a set operation: the range table indexes of its branches.
    pub fn branches(&self) -> Vec<usize> {
        unsafe fn collect(node: *mut pg_sys::Node, into: &mut Vec<usize>) {
            // SAFETY: callers pass a node of a set operation tree, which holds RangeTblRef and
            // SetOperationStmt only.
            unsafe {
                recursion::step();
                if (*node).type_ == pg_sys::NodeTag::T_RangeTblRef {
                    into.push((*node.cast::<pg_sys::RangeTblRef>()).rtindex as usize);
                } else {
                    let operation = node.cast::<pg_sys::SetOperationStmt>();
                    collect((*operation).larg, into);
                    collect((*operation).rarg, into);
                }
            }
        }
        let mut branches = Vec::new();
        // SAFETY: a set operation tree holds RangeTblRef and SetOperationStmt only.
        unsafe {
            if !(*self.0).setOperations.is_null() {
                collect((*self.0).setOperations, &mut branches);
            }
        }
        branches
    }

    pub fn ctes(&self) -> Vec<Cte> {
        // SAFETY: the list holds CommonTableExpr nodes whose query is analysed.
        unsafe {
            pointers::<pg_sys::CommonTableExpr>((*self.0).cteList)
                .into_iter()
                .map(|cte| Cte {
                    name: string((*cte).ctename),
                    recursive: (*cte).cterecursive,
                    query: Select::from_node((*cte).ctequery),
                    node: cte,
                })
                .collect()
        }
    }

    /// The sub-selects in all expressions of this level.
    pub fn all_links(&self) -> Vec<SubLink> {
        fn on(item: &From, into: &mut Vec<Expr>) {
            recursion::step();
            if let From::Join {
                left,
                right,
                on: condition,
                ..
            } = item
            {
                into.extend(condition);
                on(left, into);
                on(right, into);
            }
        }
        let mut exprs: Vec<Expr> = self.targets().iter().map(|target| target.expr).collect();
        exprs.extend(
            self.condition()
                .into_iter()
                .chain(self.having())
                .chain(self.limits())
                .chain(self.frame_offsets()),
        );
        self.from().iter().for_each(|item| on(item, &mut exprs));
        for index in self.all_ranges() {
            if let Range::Functions(more) | Range::Values(more) | Range::Other(more) = self.range(index) {
                exprs.extend(more);
            }
        }
        exprs.iter().flat_map(|expr| expr.survey().links).collect()
    }
}
