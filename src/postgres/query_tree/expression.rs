//! Expressions: what they read, and copies with parts replaced.

use std::collections::BTreeSet;
use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::handles::{Expr, Select};
use super::lists::pointers;
use crate::postgres::recursion;
use crate::postgres::versions::{outer_joins, tree_mutator};

/// A column reference. `range` is the index in the range table of the query `levels_up` levels out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Column {
    pub range: usize,
    pub attno: i16,
    pub levels_up: usize,
}

impl Column {
    /// Counted from 0; None for the whole row and for system columns.
    pub fn position(&self) -> Option<usize> {
        usize::try_from(self.attno).ok()?.checked_sub(1)
    }
}

/// A part that [`Expr::substitute`] replaces.
pub enum Leaf {
    Column(Column),
    /// The n-th output column (from 0) of the sub-select whose test expression this is.
    SubSelectOutput(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    Exists,
    Any,
    All,
    /// A scalar or array sub-select, or anything else whose value is compared outside of it.
    Value,
}

/// A sub-select inside an expression.
#[derive(Clone, Copy, Debug)]
pub struct SubLink {
    pub kind: LinkKind,
    /// For ANY and ALL: the comparison between outside and output columns.
    pub test: Option<Expr>,
    pub query: Select,
}

/// What an expression consists of, sub-selects not entered.
#[derive(Default, Debug)]
pub struct Survey {
    pub columns: Vec<Column>,
    pub links: Vec<SubLink>,
    pub aggregates: bool,
    pub windows: bool,
    pub grouping: bool,
    pub sets: bool,
}

/// The shape of an operator condition.
pub struct Op {
    pub left: Expr,
    pub right: Expr,
    pub strict: bool,
}

impl Expr {
    /// Everything of interest inside, in one walk.
    pub fn survey(&self) -> Survey {
        let mut survey = Survey::default();
        // SAFETY: the walker reads nodes only; the context outlives the walk.
        unsafe {
            survey_walker(self.0, (&mut survey as *mut Survey).cast());
            survey.sets = pg_sys::expression_returns_set(self.0);
        }
        survey
    }

    /// Whether it is made of more nodes than this.
    pub fn is_larger_than(&self, most: usize) -> bool {
        let mut left = most;
        // SAFETY: the walker reads nodes only; the context outlives the walk.
        unsafe { size_walker(self.0, (&raw mut left).cast()) }
    }

    /// Whether the value depends on the columns only, and no value of the columns makes the expression fail:
    /// PostgreSQL calls functions that never fail leakproof.
    pub fn is_harmless(&self) -> bool {
        // SAFETY: reads the tree and the catalogs.
        unsafe { !pg_sys::contain_mutable_functions(self.0) && !pg_sys::contain_leaked_vars(self.0) }
    }

    /// Whether a function in it may return something else each time.
    pub fn is_volatile(&self) -> bool {
        // SAFETY: reads the tree and the catalogs.
        unsafe { pg_sys::contain_volatile_functions(self.0) }
    }

    /// The ranges that the expression reads at its own level (after substitution: occurrences).
    pub fn ranges(&self) -> BTreeSet<usize> {
        self.survey()
            .columns
            .iter()
            .filter(|c| c.levels_up == 0)
            .map(|c| c.range)
            .collect()
    }

    /// The ranges whose columns cannot all be NULL where this condition is true.
    pub fn ranges_not_null(&self) -> BTreeSet<usize> {
        let mut ranges = BTreeSet::new();
        // SAFETY: reads the tree; the set is read before anything else can free it.
        unsafe {
            let set = pg_sys::find_nonnullable_rels(self.0);
            let mut member = pg_sys::bms_next_member(set, -1);
            while member >= 0 {
                ranges.insert(member as usize);
                member = pg_sys::bms_next_member(set, member);
            }
        }
        ranges
    }

    /// A copy with every leaf replaced; None when `replace` has nothing for one of them, or when a
    /// sub-select, an aggregate or a window function is inside.
    pub fn substitute(&self, mut replace: impl FnMut(Leaf, Expr) -> Option<Expr>) -> Option<Expr> {
        let mut context = Substitution {
            replace: &mut replace,
            failed: false,
        };
        // SAFETY: the mutator copies; the context outlives the call.
        let copy = unsafe { substitute_mutator(self.0, (&mut context as *mut Substitution).cast()) };
        (!context.failed).then_some(Expr(copy))
    }

    /// A copy of this column reference that points elsewhere at level 0.
    pub fn moved_to(&self, range: usize, attno: i16) -> Expr {
        // SAFETY: callers hold a Var (it came as Leaf::Column); the copy is ours to change.
        unsafe {
            let var = pg_sys::copyObjectImpl(self.0.cast()).cast::<pg_sys::Var>();
            (*var).varno = range as i32;
            (*var).varattno = attno;
            (*var).varlevelsup = 0;
            (*var).varnosyn = 0;
            (*var).varattnosyn = 0;
            (*var).location = -1;
            outer_joins::forget(var);
            Expr(var.cast())
        }
    }

    /// A copy that nothing else points into.
    pub fn copied(&self) -> Expr {
        // SAFETY: copies a node.
        unsafe { Expr(pg_sys::copyObjectImpl(self.0.cast()).cast()) }
    }

    /// A copy of this column reference as it is written one level further in.
    pub fn seen_from_inside(&self) -> Expr {
        // SAFETY: callers hold a Var (it came as Leaf::Column); the copy is ours to change.
        unsafe {
            let var = pg_sys::copyObjectImpl(self.0.cast()).cast::<pg_sys::Var>();
            (*var).varlevelsup += 1;
            (*var).varnosyn = 0;
            (*var).varattnosyn = 0;
            Expr(var.cast())
        }
    }

    /// The column this is, if it is nothing but a column.
    pub fn as_column(&self) -> Option<Column> {
        // SAFETY: the tag is checked before the cast.
        unsafe { (self.tag() == pg_sys::NodeTag::T_Var).then(|| column_of(self.0.cast::<pg_sys::Var>())) }
    }

    /// Type, type modifier and collation.
    pub fn column_type(&self) -> (pg_sys::Oid, i32, pg_sys::Oid) {
        // SAFETY: reads the node.
        unsafe {
            (
                pg_sys::exprType(self.0),
                pg_sys::exprTypmod(self.0),
                pg_sys::exprCollation(self.0),
            )
        }
    }

    /// The conditions that must all be true.
    pub fn conjuncts(&self) -> Vec<Expr> {
        recursion::step();
        // SAFETY: the tag is checked before the cast; arguments are nodes.
        unsafe {
            if self.tag() == pg_sys::NodeTag::T_BoolExpr {
                let all = self.0.cast::<pg_sys::BoolExpr>();
                if (*all).boolop == pg_sys::BoolExprType::AND_EXPR {
                    return pointers((*all).args)
                        .into_iter()
                        .flat_map(|arg| Expr(arg).conjuncts())
                        .collect();
                }
            }
        }
        vec![*self]
    }

    /// Whether this is the constant NULL.
    pub fn is_null_constant(&self) -> bool {
        // SAFETY: the tag is checked before the cast.
        unsafe { self.tag() == pg_sys::NodeTag::T_Const && (*self.0.cast::<pg_sys::Const>()).constisnull }
    }

    /// The sub-select this condition is, if it is nothing but one.
    pub fn as_link(&self) -> Option<SubLink> {
        // SAFETY: the tag is checked before the cast.
        unsafe {
            (self.tag() == pg_sys::NodeTag::T_SubLink).then(|| link_of(self.0.cast::<pg_sys::SubLink>()))
        }
    }

    /// Left and right side, if this is an operator with two.
    pub fn as_operator(&self) -> Option<Op> {
        // SAFETY: the tag is checked before the cast.
        unsafe {
            if self.tag() != pg_sys::NodeTag::T_OpExpr {
                return None;
            }
            let op = self.0.cast::<pg_sys::OpExpr>();
            let args: Vec<*mut pg_sys::Node> = pointers((*op).args);
            match args[..] {
                [left, right] => Some(Op {
                    left: Expr(left),
                    right: Expr(right),
                    strict: pg_sys::op_strict((*op).opno),
                }),
                _ => None,
            }
        }
    }

    /// The operator condition this is, if it is an equality that could be looked up or joined by.
    pub fn as_equality(&self) -> Option<Op> {
        let op = self.as_operator()?;
        // SAFETY: as_operator has checked the tag.
        let operator = unsafe { (*self.0.cast::<pg_sys::OpExpr>()).opno };
        // SAFETY: looks the operator up in the catalogs.
        let equality = unsafe {
            let input = pg_sys::exprType(op.left.0);
            pg_sys::op_mergejoinable(operator, input) || pg_sys::op_hashjoinable(operator, input)
        };
        equality.then_some(op)
    }

    /// Both columns, if this is an equality of two.
    pub fn as_equal_columns(&self) -> Option<(Column, Column)> {
        let op = self.as_equality()?;
        let (left, right) = (op.left.unlabelled(), op.right.unlabelled());
        Some((left.as_column()?, right.as_column()?))
    }

    /// Both sides of an equality that keys of their type are compared by.
    pub fn as_key_equality(&self) -> Option<(Expr, Expr)> {
        let op = self.as_operator()?;
        // SAFETY: `as_operator` has checked the tag; the rest reads nodes and caches.
        unsafe {
            let node = self.0.cast::<pg_sys::OpExpr>();
            let (left, right) = (op.left.unlabelled(), op.right.unlabelled());
            let type_oid = pg_sys::exprType(left.0);
            let usual = (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32)).eq_opr;
            let exact = (*node).inputcollid == pg_sys::InvalidOid
                || pg_sys::get_collation_isdeterministic((*node).inputcollid);
            (type_oid == pg_sys::exprType(right.0) && (*node).opno == usual && exact).then_some((left, right))
        }
    }

    /// Whether two expressions are the same but for where they stood in the text.
    pub fn same_as(&self, other: &Expr) -> bool {
        // SAFETY: compares nodes.
        unsafe { pg_sys::equal(self.0.cast(), other.0.cast()) }
    }

    pub(super) fn tag(&self) -> pg_sys::NodeTag {
        // SAFETY: handles are never NULL; every node starts with its tag.
        unsafe { (*self.0).type_ }
    }
}

unsafe fn column_of(var: *mut pg_sys::Var) -> Column {
    // SAFETY: callers pass a valid node.
    unsafe {
        Column {
            range: (*var).varno as usize,
            attno: (*var).varattno,
            levels_up: (*var).varlevelsup as usize,
        }
    }
}

unsafe fn link_of(link: *mut pg_sys::SubLink) -> SubLink {
    // SAFETY: callers pass a valid node; the sub-select of an analysed query is a Query.
    unsafe {
        let kind = match (*link).subLinkType {
            pg_sys::SubLinkType::EXISTS_SUBLINK => LinkKind::Exists,
            pg_sys::SubLinkType::ANY_SUBLINK => LinkKind::Any,
            pg_sys::SubLinkType::ALL_SUBLINK => LinkKind::All,
            _ => LinkKind::Value,
        };
        let test = (!(*link).testexpr.is_null()).then(|| Expr((*link).testexpr));
        SubLink {
            kind,
            test,
            query: Select::from_node((*link).subselect),
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn survey_walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let survey = &mut *context.cast::<Survey>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Var => {
                survey.columns.push(column_of(node.cast()));
                return false;
            }
            // The sub-select itself is a query of its own: its reader goes on from the link.
            pg_sys::NodeTag::T_Query => return false,
            pg_sys::NodeTag::T_SubLink => survey.links.push(link_of(node.cast())),
            pg_sys::NodeTag::T_Aggref => survey.aggregates = true,
            pg_sys::NodeTag::T_WindowFunc => survey.windows = true,
            pg_sys::NodeTag::T_GroupingFunc => survey.grouping = true,
            _ => {}
        }
        pg_sys::expression_tree_walker(node, Some(survey_walker), context)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn size_walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let left = &mut *context.cast::<usize>();
        if *left == 0 {
            return true;
        }
        *left -= 1;
        pg_sys::expression_tree_walker(node, Some(size_walker), context)
    }
}

struct Substitution<'a> {
    replace: &'a mut dyn FnMut(Leaf, Expr) -> Option<Expr>,
    failed: bool,
}

#[pg_guard]
unsafe extern "C-unwind" fn substitute_mutator(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL passes a node of a valid tree, read with the layout its tag says, and the context
    // that the copy was started with.
    unsafe {
        if node.is_null() {
            return node;
        }
        recursion::step();
        let substitution = &mut *context.cast::<Substitution>();
        let leaf = match (*node).type_ {
            pg_sys::NodeTag::T_Var => Some(Leaf::Column(column_of(node.cast()))),
            pg_sys::NodeTag::T_Param => {
                let param = node.cast::<pg_sys::Param>();
                ((*param).paramkind == pg_sys::ParamKind::PARAM_SUBLINK)
                    .then(|| Leaf::SubSelectOutput((*param).paramid as usize - 1))
            }
            pg_sys::NodeTag::T_SubLink
            | pg_sys::NodeTag::T_Query
            | pg_sys::NodeTag::T_Aggref
            | pg_sys::NodeTag::T_WindowFunc
            | pg_sys::NodeTag::T_GroupingFunc => {
                substitution.failed = true;
                return node;
            }
            _ => None,
        };
        match leaf {
            Some(leaf) => match (substitution.replace)(leaf, Expr(node)) {
                Some(expr) => expr.0,
                None => {
                    substitution.failed = true;
                    node
                }
            },
            None => tree_mutator::children(node, substitute_mutator, context),
        }
    }
}
