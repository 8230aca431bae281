//! Building expressions: operators, tests, AND and OR.

use pgrx::pg_sys;

use super::handles::Expr;
use super::lists::{list_of, make_node};

impl Expr {
    /// `left operator right`, by the operator's OID.
    pub fn operator(operator: pg_sys::Oid, left: Expr, right: Expr) -> Expr {
        // SAFETY: both arguments are nodes of the operator's argument types.
        unsafe {
            let collation = pg_sys::exprCollation(left.0);
            let expr = pg_sys::make_opclause(
                operator,
                pg_sys::BOOLOID,
                false,
                left.0.cast(),
                right.0.cast(),
                pg_sys::InvalidOid,
                collation,
            );
            pg_sys::set_opfuncid(expr.cast());
            Expr(expr.cast())
        }
    }

    /// `expr IS NULL`
    pub fn is_null(&self) -> Expr {
        self.null_test(pg_sys::NullTestType::IS_NULL)
    }

    /// `expr IS NOT NULL`
    pub fn is_not_null(&self) -> Expr {
        self.null_test(pg_sys::NullTestType::IS_NOT_NULL)
    }

    fn null_test(&self, kind: pg_sys::NullTestType::Type) -> Expr {
        // SAFETY: a fresh node of the right size.
        unsafe {
            let test = make_node::<pg_sys::NullTest>(pg_sys::NodeTag::T_NullTest);
            (*test).arg = self.0.cast();
            (*test).nulltesttype = kind;
            (*test).location = -1;
            Expr(test.cast())
        }
    }

    /// `expr IS NOT FALSE`
    pub fn is_not_false(&self) -> Expr {
        self.boolean_test(pg_sys::BoolTestType::IS_NOT_FALSE)
    }

    /// `expr IS TRUE`
    pub fn is_true(&self) -> Expr {
        self.boolean_test(pg_sys::BoolTestType::IS_TRUE)
    }

    /// `expr IS NOT TRUE`
    pub fn is_not_true(&self) -> Expr {
        self.boolean_test(pg_sys::BoolTestType::IS_NOT_TRUE)
    }

    fn boolean_test(&self, kind: pg_sys::BoolTestType::Type) -> Expr {
        // SAFETY: a fresh node of the right size.
        unsafe {
            let test = make_node::<pg_sys::BooleanTest>(pg_sys::NodeTag::T_BooleanTest);
            (*test).arg = self.0.cast();
            (*test).booltesttype = kind;
            (*test).location = -1;
            Expr(test.cast())
        }
    }

    /// All of these; `parts` is not empty.
    pub fn all_of(parts: &[Expr]) -> Expr {
        if let [only] = parts {
            return *only;
        }
        // SAFETY: the list holds nodes.
        unsafe { Expr(pg_sys::make_andclause(list_of(parts.iter().map(|part| part.0))).cast()) }
    }

    /// Any of these; `parts` is not empty.
    pub fn any_of(parts: &[Expr]) -> Expr {
        if let [only] = parts {
            return *only;
        }
        // SAFETY: the list holds nodes.
        unsafe { Expr(pg_sys::make_orclause(list_of(parts.iter().map(|part| part.0))).cast()) }
    }
}
