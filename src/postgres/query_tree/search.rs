//! Comparisons that an index can serve: a column or expression of one table, and a value from elsewhere.

use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

use super::expression::Leaf;
use super::handles::Expr;
use super::lists::{pointers, string};
use crate::postgres::{collation, recursion, relation};

/// `side operator other`.
pub struct Search {
    pub side: Expr,
    pub other: Expr,
    operator: Oid,
    collation: Oid,
}

/// What an index that serves a search holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexColumn {
    /// Over the table's columns, by their names.
    pub expression: String,
    /// As in CREATE INDEX.
    pub definition: String,
    pub collation: Oid,
    pub method: Method,
    /// Whether the search is for equal values.
    pub equality: bool,
}

/// Access methods, in the order they are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Btree,
    Gin,
    Gist,
}

impl Method {
    pub fn oid(self) -> Oid {
        match self {
            Method::Btree => pg_sys::BTREE_AM_OID,
            Method::Gin => pg_sys::GIN_AM_OID,
            Method::Gist => pg_sys::GIST_AM_OID,
        }
    }

    /// `USING ...`, with a space before; nothing for the default.
    pub fn clause(self) -> &'static str {
        match self {
            Method::Btree => "",
            Method::Gin => " USING gin",
            Method::Gist => " USING gist",
        }
    }
}

impl Expr {
    /// The ways to read a condition, or one of its parts under AND and OR, as a search.
    pub fn searches(&self) -> Vec<Search> {
        recursion::step();
        // SAFETY: tags are checked before the casts; arguments are nodes.
        unsafe {
            match self.tag() {
                pg_sys::NodeTag::T_OpExpr => {
                    let op = self.0.cast::<pg_sys::OpExpr>();
                    let args: Vec<*mut pg_sys::Node> = pointers((*op).args);
                    let [left, right] = args[..] else {
                        return Vec::new();
                    };
                    let search = |side, other, operator| Search {
                        side: Expr(side),
                        other: Expr(other),
                        operator,
                        collation: (*op).inputcollid,
                    };
                    let commuted = pg_sys::get_commutator((*op).opno);
                    let mut searches = vec![search(left, right, (*op).opno)];
                    if commuted != Oid::INVALID {
                        searches.push(search(right, left, commuted));
                    }
                    searches
                }
                pg_sys::NodeTag::T_ScalarArrayOpExpr => {
                    let op = self.0.cast::<pg_sys::ScalarArrayOpExpr>();
                    let args: Vec<*mut pg_sys::Node> = pointers((*op).args);
                    match args[..] {
                        [left, right] if (*op).useOr => vec![Search {
                            side: Expr(left),
                            other: Expr(right),
                            operator: (*op).opno,
                            collation: (*op).inputcollid,
                        }],
                        _ => Vec::new(),
                    }
                }
                pg_sys::NodeTag::T_BoolExpr => {
                    let parts = self.0.cast::<pg_sys::BoolExpr>();
                    if (*parts).boolop == pg_sys::BoolExprType::NOT_EXPR {
                        return Vec::new();
                    }
                    let parts: Vec<*mut pg_sys::Node> = pointers((*parts).args);
                    parts.into_iter().flat_map(|part| Expr(part).searches()).collect()
                }
                _ => Vec::new(),
            }
        }
    }

    /// An index on this expression over `table`, searched for equal values.
    pub fn index_column(&self, table: Oid) -> Option<IndexColumn> {
        // SAFETY: reads the node; the type cache entry lives for ever.
        unsafe {
            let entry = pg_sys::lookup_type_cache(pg_sys::exprType(self.0), pg_sys::TYPECACHE_EQ_OPR as i32);
            Search {
                side: *self,
                other: *self,
                operator: (*entry).eq_opr,
                collation: pg_sys::exprCollation(self.0),
            }
            .index_column(table)
        }
    }

    /// As the planner keeps an index's expression: constants folded, reading range `range` in place of 1.
    ///
    /// # Safety
    /// Called while a query is planned; the expression is not used again.
    pub(in crate::postgres) unsafe fn as_planned(&self, range: u32) -> *mut pg_sys::Node {
        // SAFETY: the expression is a fresh one that reads range 1 only.
        unsafe {
            let node = pg_sys::eval_const_expressions(std::ptr::null_mut(), self.unlabelled().0);
            pg_sys::fix_opfuncids(node);
            pg_sys::ChangeVarNodes(node, 1, range as i32, 0);
            node
        }
    }

    /// The expression without parts that leave the stored value unchanged: relabelled types and COLLATE.
    pub(super) fn unlabelled(&self) -> Expr {
        let mut expr = *self;
        loop {
            // SAFETY: the tag is checked before the cast; the argument is a node.
            let inner = unsafe {
                match expr.tag() {
                    pg_sys::NodeTag::T_RelabelType => (*expr.0.cast::<pg_sys::RelabelType>()).arg,
                    pg_sys::NodeTag::T_CollateExpr => (*expr.0.cast::<pg_sys::CollateExpr>()).arg,
                    _ => return expr,
                }
            };
            expr = Expr(inner.cast());
        }
    }
}

impl Search {
    /// What an index on `table`, the only one that `side` reads, would hold to serve this; None if no usual
    /// one can.
    pub fn index_column(&self, table: Oid) -> Option<IndexColumn> {
        let mut stored = true;
        let expr = self.side.unlabelled().substitute(|leaf, expr| match leaf {
            Leaf::Column(column) => {
                stored &= column.attno > 0;
                Some(expr.moved_to(1, column.attno))
            }
            Leaf::SubSelectOutput(_) => None,
        })?;
        let alias = CString::new(relation::name(table)?).ok()?;
        // SAFETY: the expression is a copy that reads range 1 only, which the deparse context says is
        // `table`.
        unsafe {
            if !stored || pg_sys::contain_mutable_functions(expr.0) {
                return None;
            }
            let type_oid = pg_sys::exprType(expr.0);
            let (method, family) =
                [Method::Btree, Method::Gin, Method::Gist]
                    .into_iter()
                    .find_map(|method| {
                        let class = pg_sys::GetDefaultOpClass(type_oid, method.oid());
                        let family = (class != Oid::INVALID).then(|| pg_sys::get_opclass_family(class))?;
                        pg_sys::op_in_opfamily(self.operator, family).then_some((method, family))
                    })?;
            let context = pg_sys::deparse_context_for(alias.as_ptr(), table);
            let expression = string(pg_sys::deparse_expression(expr.0, context, false, false));
            let own = pg_sys::exprCollation(expr.0);
            let collation = if self.collation == Oid::INVALID {
                own
            } else {
                self.collation
            };
            let mut definition = match expr.as_column() {
                Some(_) => expression.clone(),
                None => format!("({expression})"),
            };
            if collation != own {
                definition += &format!(" COLLATE {}", collation::name(collation)?);
            }
            let strategy = pg_sys::get_op_opfamily_strategy(self.operator, family);
            Some(IndexColumn {
                expression,
                definition,
                collation,
                method,
                equality: method == Method::Btree && strategy == pg_sys::BTEqualStrategyNumber as i32,
            })
        }
    }
}
