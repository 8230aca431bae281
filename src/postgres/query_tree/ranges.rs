//! What a SELECT reads from: its FROM clause and range table.

use pgrx::pg_sys::{self, Oid};

use super::handles::{Expr, Select};
use super::lists::{pointers, string};
use crate::postgres::recursion;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// The FROM clause as a tree.
pub enum From {
    Item(usize),
    Join {
        kind: JoinKind,
        left: Box<From>,
        right: Box<From>,
        on: Option<Expr>,
    },
}

impl From {
    /// Whether a range is in this part of FROM.
    pub fn contains(&self, index: usize) -> bool {
        recursion::step();
        match self {
            From::Item(item) => *item == index,
            From::Join { left, right, .. } => left.contains(index) || right.contains(index),
        }
    }
}

/// What a range table index stands for.
pub enum Range {
    Table {
        oid: Oid,
        kind: char,
        with_children: bool,
    },
    Subquery(Select),
    Functions(Vec<Expr>),
    Cte {
        name: String,
        levels_up: usize,
        recursive: bool,
    },
    /// See [`Select::join_column`].
    Join,
    Values(Vec<Expr>),
    Other(Vec<Expr>),
}

impl Select {
    /// The items of FROM, separated by commas.
    pub fn from(&self) -> Vec<From> {
        // SAFETY: the join tree of an analysed query holds RangeTblRef, JoinExpr and FromExpr only.
        unsafe {
            if (*self.0).jointree.is_null() {
                return Vec::new();
            }
            pointers((*(*self.0).jointree).fromlist)
                .into_iter()
                .map(|node| from_node(node))
                .collect()
        }
    }

    /// What the range table index (from 1) stands for.
    pub fn range(&self, index: usize) -> Range {
        // SAFETY: the index comes from this query's own tree.
        unsafe {
            let entry = self.entry(index);
            match (*entry).rtekind {
                pg_sys::RTEKind::RTE_RELATION => Range::Table {
                    oid: (*entry).relid,
                    kind: (*entry).relkind as u8 as char,
                    with_children: (*entry).inh,
                },
                pg_sys::RTEKind::RTE_SUBQUERY => Range::Subquery(Select((*entry).subquery)),
                pg_sys::RTEKind::RTE_JOIN => Range::Join,
                pg_sys::RTEKind::RTE_FUNCTION => Range::Functions(
                    pointers::<pg_sys::RangeTblFunction>((*entry).functions)
                        .into_iter()
                        .map(|function| Expr((*function).funcexpr))
                        .collect(),
                ),
                pg_sys::RTEKind::RTE_CTE => Range::Cte {
                    name: string((*entry).ctename),
                    levels_up: (*entry).ctelevelsup as usize,
                    recursive: (*entry).self_reference,
                },
                pg_sys::RTEKind::RTE_VALUES => Range::Values(vec![Expr((*entry).values_lists.cast())]),
                pg_sys::RTEKind::RTE_TABLEFUNC => Range::Other(vec![Expr((*entry).tablefunc.cast())]),
                _ => Range::Other(Vec::new()),
            }
        }
    }

    /// What a column of a join (from 0) stands for.
    pub fn join_column(&self, index: usize, position: usize) -> Option<Expr> {
        // SAFETY: the entry is a join; the position is checked against the length of its list.
        unsafe {
            let columns = (*self.entry(index)).joinaliasvars;
            if columns.is_null() || position >= (*columns).length as usize {
                return None;
            }
            let node = pg_sys::list_nth(columns, position as i32).cast::<pg_sys::Node>();
            (!node.is_null()).then_some(Expr(node))
        }
    }

    /// What the columns of a join stand for.
    pub fn join_columns(&self, index: usize) -> Vec<Expr> {
        // SAFETY: the entry is a join.
        let columns = unsafe { pointers::<pg_sys::Node>((*self.entry(index)).joinaliasvars) };
        columns
            .into_iter()
            .filter(|node| !node.is_null())
            .map(Expr)
            .collect()
    }

    /// Whether rows of the range table entry are sampled (TABLESAMPLE).
    pub fn sampled(&self, index: usize) -> bool {
        // SAFETY: the index comes from this query's own tree.
        unsafe { !(*self.entry(index)).tablesample.is_null() }
    }

    /// The name the query gives to a range table entry.
    pub fn range_name(&self, index: usize) -> String {
        // SAFETY: the index comes from this query's own tree.
        unsafe {
            let names = (*self.entry(index)).eref;
            if names.is_null() {
                String::new()
            } else {
                string((*names).aliasname)
            }
        }
    }

    /// Every range table index that can be read, in no order.
    pub fn all_ranges(&self) -> Vec<usize> {
        fn collect(item: &From, into: &mut Vec<usize>) {
            recursion::step();
            match item {
                From::Item(index) => into.push(*index),
                From::Join { left, right, .. } => {
                    collect(left, into);
                    collect(right, into);
                }
            }
        }
        let mut ranges = self.branches();
        self.from().iter().for_each(|item| collect(item, &mut ranges));
        ranges
    }

    pub(super) unsafe fn entry(&self, index: usize) -> *mut pg_sys::RangeTblEntry {
        // SAFETY: callers pass an index of the range table of this query.
        unsafe { pg_sys::list_nth((*self.0).rtable, index as i32 - 1).cast() }
    }
}

/// The tree it makes is taken down by recursion too, with less stack for each level than it took to make it.
unsafe fn from_node(node: *mut pg_sys::Node) -> From {
    // SAFETY: the join tree of an analysed query holds RangeTblRef and JoinExpr here.
    unsafe {
        recursion::step();
        if (*node).type_ == pg_sys::NodeTag::T_RangeTblRef {
            return From::Item((*node.cast::<pg_sys::RangeTblRef>()).rtindex as usize);
        }
        let join = node.cast::<pg_sys::JoinExpr>();
        From::Join {
            kind: match (*join).jointype {
                pg_sys::JoinType::JOIN_LEFT => JoinKind::Left,
                pg_sys::JoinType::JOIN_RIGHT => JoinKind::Right,
                pg_sys::JoinType::JOIN_FULL => JoinKind::Full,
                _ => JoinKind::Inner,
            },
            left: Box::new(from_node((*join).larg)),
            right: Box::new(from_node((*join).rarg)),
            on: (!(*join).quals.is_null()).then(|| Expr((*join).quals)),
        }
    }
}
