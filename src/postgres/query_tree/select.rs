//! One level of an analysed SELECT.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

use super::{pointers, string, Expr, SubLink};

/// An analysed SELECT. Range table indexes count from 1, as PostgreSQL's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Select(pub(super) *mut pg_sys::Query);

/// An output column.
pub struct Target {
    pub name: String,
    pub expr: Expr,
    /// Not visible outside: only there to be sorted or grouped by.
    pub hidden: bool,
}

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
    Join {
        columns: Vec<Option<Expr>>,
    },
    Values(Vec<Expr>),
    Other(Vec<Expr>),
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

    pub(super) fn node(&self) -> *mut pg_sys::Node {
        self.0.cast()
    }

    /// The query of a view, as a copy.
    pub fn of_view(view: Oid) -> Select {
        // SAFETY: the relation stays open while its rule is copied; the lock is kept to the end of the
        // transaction.
        unsafe {
            let relation = pg_sys::relation_open(view, pg_sys::AccessShareLock as i32);
            let query = pg_sys::copyObjectImpl(pg_sys::get_view_query(relation).cast());
            pg_sys::relation_close(relation, pg_sys::NoLock as i32);
            Select(query.cast())
        }
    }

    /// Parses and analyses a query under the current search_path. None unless it is exactly one SELECT
    /// (VALUES and WITH included, SELECT INTO not); syntax and name errors are PostgreSQL's own.
    pub fn analyse(sql: &str) -> Option<Select> {
        let text = CString::new(sql).ok()?;
        // SAFETY: the raw tree is used once, the text outlives it.
        unsafe {
            let statements: Vec<*mut pg_sys::RawStmt> = pointers(pg_sys::pg_parse_query(text.as_ptr()));
            let [raw] = statements[..] else { return None };
            if (*(*raw).stmt).type_ != pg_sys::NodeTag::T_SelectStmt
                || !(*(*raw).stmt.cast::<pg_sys::SelectStmt>()).intoClause.is_null()
            {
                return None;
            }
            let query = pg_sys::parse_analyze_fixedparams(
                raw,
                text.as_ptr(),
                std::ptr::null(),
                0,
                std::ptr::null_mut(),
            );
            if (*query).commandType != pg_sys::CmdType::CMD_SELECT || (*query).hasModifyingCTE {
                return None;
            }
            Some(Select(query))
        }
    }

    /// The SQL of a raw query without repeated columns; None if it has none.
    ///
    /// # Safety
    /// `raw` is the parse tree of a SELECT, `text` the statement it comes from.
    pub unsafe fn collapsed(raw: *mut pg_sys::Node, text: *const std::ffi::c_char) -> Option<String> {
        // SAFETY: analysis gets a copy, in a raw statement of its own.
        unsafe {
            let statement = super::make_node::<pg_sys::RawStmt>(pg_sys::NodeTag::T_RawStmt);
            (*statement).stmt = pg_sys::copyObjectImpl(raw.cast()).cast();
            let query =
                pg_sys::parse_analyze_fixedparams(statement, text, std::ptr::null(), 0, std::ptr::null_mut());
            let select = Select(query);
            select.collapse_repeated_columns().then(|| select.sql())
        }
    }

    /// The query as SQL text.
    pub fn sql(&self) -> String {
        // SAFETY: deparsing locks the relations and may change the tree: it gets a copy.
        unsafe {
            let copy = pg_sys::copyObjectImpl(self.0.cast()).cast();
            string(pg_sys::pg_get_querydef(copy, false))
        }
    }

    /// Drops output columns that repeat an earlier one: same name, same expression. A hidden name clash
    /// of different expressions stays, for PostgreSQL to refuse.
    pub fn collapse_repeated_columns(&self) -> bool {
        // SAFETY: the target list is rebuilt in place; entries that sorting or grouping points at stay.
        unsafe {
            let entries: Vec<*mut pg_sys::TargetEntry> = pointers((*self.0).targetList);
            let mut kept: Vec<*mut pg_sys::TargetEntry> = Vec::new();
            for entry in &entries {
                let repeated = !(**entry).resjunk
                    && (**entry).ressortgroupref == 0
                    && kept.iter().any(|earlier| {
                        !(**earlier).resjunk
                            && string((**earlier).resname) == string((**entry).resname)
                            && Expr((**earlier).expr.cast()).same_as(&Expr((**entry).expr.cast()))
                    });
                if !repeated {
                    (**entry).resno = kept.len() as i16 + 1;
                    kept.push(*entry);
                }
            }
            let changed = kept.len() < entries.len();
            if changed && (*self.0).setOperations.is_null() {
                (*self.0).targetList = super::list_of(kept.into_iter().map(|entry| entry.cast()));
            }
            changed
        }
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
        pointers::<pg_sys::SortGroupClause>(clause)
            .into_iter()
            .map(|item| {
                let expr = pg_sys::get_sortgroupclause_expr(item, (*self.0).targetList);
                (Expr(expr), (*item).eqop)
            })
            .collect()
    }

    /// For a set operation: the range table indexes of its branches.
    pub fn branches(&self) -> Vec<usize> {
        unsafe fn collect(node: *mut pg_sys::Node, into: &mut Vec<usize>) {
            if (*node).type_ == pg_sys::NodeTag::T_RangeTblRef {
                into.push((*node.cast::<pg_sys::RangeTblRef>()).rtindex as usize);
            } else {
                let operation = node.cast::<pg_sys::SetOperationStmt>();
                collect((*operation).larg, into);
                collect((*operation).rarg, into);
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
                pg_sys::RTEKind::RTE_JOIN => Range::Join {
                    columns: pointers::<pg_sys::Node>((*entry).joinaliasvars)
                        .into_iter()
                        .map(|node| (!node.is_null()).then_some(Expr(node)))
                        .collect(),
                },
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

    /// The sub-selects in all expressions of this level.
    pub fn all_links(&self) -> Vec<SubLink> {
        fn on(item: &From, into: &mut Vec<Expr>) {
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

    pub(super) unsafe fn entry(&self, index: usize) -> *mut pg_sys::RangeTblEntry {
        pg_sys::list_nth((*self.0).rtable, index as i32 - 1).cast()
    }
}

unsafe fn from_node(node: *mut pg_sys::Node) -> From {
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
