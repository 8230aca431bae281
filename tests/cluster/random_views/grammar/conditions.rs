//! Conditions and values.

use super::{Column, Grammar};
use crate::random_views::schema::Type;

impl Grammar<'_> {
    /// A condition on `own` columns; `outer` are those of the queries around.
    pub(super) fn condition(&mut self, own: &[Column], outer: &[Column]) -> String {
        let mut visible = own.to_vec();
        visible.extend(outer.iter().cloned());
        if self.more(22) {
            let (one, other) = (self.condition(own, outer), self.condition(own, outer));
            return match self.random.upto(3) {
                1 => {
                    self.uses("OR");
                    format!("({one} OR {other})")
                }
                2 => {
                    self.uses("NOT");
                    format!("NOT ({one} AND {other})")
                }
                _ => format!("({one} AND {other})"),
            };
        }
        if self.more(60) {
            if let Some(condition) = self.sub_select_condition(&visible) {
                return condition;
            }
        }
        self.simple(own, &visible)
    }

    fn simple(&mut self, own: &[Column], visible: &[Column]) -> String {
        let value = self.random.upto(5);
        let Some(column) = self.column(own, Type::Int) else {
            return match self.column(own, Type::Text) {
                Some(text) => format!("{text} <> 'b'"),
                None => "true".to_string(),
            };
        };
        let other = self.column(visible, Type::Int).unwrap_or_else(|| column.clone());
        match self.random.upto(14) {
            1 | 2 => format!("{column} = {other}"),
            3 => format!("{column} IS DISTINCT FROM {value}"),
            4 => format!("{column} IS NULL"),
            5 => format!("{column} IS NOT NULL"),
            6 => format!("{column} <> {value}"),
            7 => {
                self.uses("range");
                format!("{column} BETWEEN {other} AND {other} + 1")
            }
            8 => format!("({column} = {other} OR {column} = {value})"),
            9 => format!("{column} IS NOT DISTINCT FROM {other}"),
            10 => format!("CASE WHEN {column} IS NULL THEN {other} = {value} ELSE {column} = {other} END"),
            11 => match self.column(visible, Type::Array) {
                Some(array) => {
                    self.uses("= ANY (array)");
                    format!("{column} = ANY ({array})")
                }
                None => format!("{column} < {value}"),
            },
            12 => match self.column(visible, Type::Text) {
                Some(text) => format!("lower({text}) = 'a'"),
                None => format!("{column} > {value}"),
            },
            13 => format!("coalesce({column}, {other}) = {value}"),
            _ => format!("{column} >= {value}"),
        }
    }

    fn sub_select_condition(&mut self, visible: &[Column]) -> Option<String> {
        let of = if self.chance(85) { Type::Int } else { Type::Text };
        let tested = self.column(visible, of)?;
        let kind = self.random.upto(11);
        if kind <= 4 {
            let sql = self.scoped(|this| this.sub_select(visible, None));
            let (word, construct) = *self
                .random
                .pick(&[("EXISTS", "EXISTS"), ("NOT EXISTS", "NOT EXISTS")]);
            self.uses(construct);
            return Some(format!("{word} ({sql})"));
        }
        if kind <= 8 {
            let sql = self.scoped(|this| this.sub_select(visible, Some(of)));
            let (word, construct) = *self.random.pick(&[
                ("IN", "IN"),
                ("NOT IN", "NOT IN"),
                ("= ANY", "ANY/ALL"),
                ("<> ALL", "ANY/ALL"),
                ("< ANY", "ANY/ALL"),
                (">= ALL", "ANY/ALL"),
            ]);
            self.uses(construct);
            return Some(format!("{tested} {word} ({sql})"));
        }
        if kind == 9 {
            let other = self.column(visible, Type::Int)?;
            let first = self.column(visible, Type::Int)?;
            let sql = self.scoped(|this| this.pairs(visible));
            self.uses("row IN");
            let word = *self.random.pick(&["IN", "NOT IN"]);
            return Some(format!("({first}, {other}) {word} ({sql})"));
        }
        let value = self.scoped(|this| this.scalar(visible));
        let word = *self.random.pick(&["=", "<", "IS DISTINCT FROM"]);
        let tested = self.column(visible, Type::Int)?;
        Some(match self.chance(15) {
            true => {
                let sql = self.scoped(|this| this.sub_select(visible, Some(Type::Int)));
                format!("({value}) IN ({sql})")
            }
            false => format!("{tested} {word} ({value})"),
        })
    }

    /// A number made from columns.
    pub(super) fn number(&mut self, columns: &[Column]) -> String {
        let Some(column) = self.column(columns, Type::Int) else {
            return "0".to_string();
        };
        let other = self.column(columns, Type::Int).unwrap_or_else(|| column.clone());
        match self.random.upto(13) {
            1 => format!("{column} + 10"),
            2 => format!("coalesce({column}, {other})"),
            3 => format!("CASE WHEN {column} IS NULL THEN 0 ELSE {other} END"),
            4 => match self.column(columns, Type::Array) {
                Some(array) => format!("cardinality({array})"),
                None => column,
            },
            5 if self.more(100) => {
                let sql = self.scoped(|this| this.scalar(columns));
                format!("({sql})")
            }
            6 if self.more(100) => {
                let condition = self.condition(columns, &[]);
                format!("({condition})::int")
            }
            _ => column,
        }
    }

    /// An aggregate over columns, the same whatever order rows come in.
    pub(super) fn aggregate(&mut self, columns: &[Column]) -> String {
        let column = self.column(columns, Type::Int).unwrap_or_else(|| "1".to_string());
        let text = self
            .column(columns, Type::Text)
            .unwrap_or_else(|| "'x'".to_string());
        let value = self.random.upto(5);
        let filter = match self.chance(25) {
            true => format!(" FILTER (WHERE {column} <> {value})"),
            false => String::new(),
        };
        let call = match self.random.upto(7) {
            1 => "count(*)".to_string(),
            2 => format!("sum({column})"),
            3 => format!("min({column})"),
            4 => format!("max({column})"),
            5 => format!("min(length({text}) + {column})"),
            6 => format!("count(DISTINCT {text})"),
            _ => format!("sum(DISTINCT {column})"),
        };
        format!("({call}{filter})::int")
    }

    /// Documents, as applications build them.
    pub(super) fn list(&mut self, columns: &[Column]) -> String {
        let column = self.column(columns, Type::Int).unwrap_or_else(|| "1".to_string());
        let text = self
            .column(columns, Type::Text)
            .unwrap_or_else(|| "'x'".to_string());
        match self.random.upto(3) {
            1 => format!("jsonb_agg({column} ORDER BY {column})"),
            2 => format!("string_agg({text}, ',' ORDER BY {text})"),
            _ => format!(
                "jsonb_agg(jsonb_build_object('n', {column}, 't', {text}) ORDER BY {column}, {text}) \
                 FILTER (WHERE {column} IS NOT NULL)"
            ),
        }
    }
}
