//! An analysed query as text that renaming objects does not change: relations, columns, functions and types
//! are OIDs and numbers.

use std::ffi::c_void;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Oid};

use super::handles::Select;
use super::lists::string;
use crate::postgres::versions::permissions;

/// Fields of a node that say nothing about the result: where it stood in the text, and with whose rights
/// tables are read.
const LEFT_OUT: [&str; 4] = [":location", ":stmt_location", ":stmt_len", ":checkAsUser"];

/// A view and the views below it, each with a number in place of its OID, in the order they are met. So
/// dropping all of them and making them again leaves the image as it was. Also returns the views in that
/// order.
pub fn image_of_view(view: Oid) -> (String, Vec<Oid>) {
    let mut met = vec![view];
    let mut image = String::new();
    let mut next = 0;
    while let Some(view) = met.get(next).copied() {
        image += &Select::of_view(view).with_virtual_columns().image(&mut met);
        image.push('\n');
        next += 1;
    }
    (image, met)
}

impl Select {
    fn image(&self, met: &mut Vec<Oid>) -> String {
        // SAFETY: what is changed is a copy; the walker reads nodes by the layout their tag says.
        unsafe {
            let copy: *mut pg_sys::Query = pg_sys::copyObjectImpl(self.0.cast()).cast();
            settle_names(copy.cast(), std::ptr::from_mut(met).cast());
            without_places(&string(pg_sys::nodeToString(copy.cast())))
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn settle_names(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with. The tree is a copy.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                // What proves that GROUP BY decides about other columns: not part of the result, and other
                // numbers after pg_upgrade.
                (*node.cast::<pg_sys::Query>()).constraintDeps = std::ptr::null_mut();
                permissions::forget(node.cast());
                let flags = pg_sys::QTW_EXAMINE_RTES_BEFORE as i32;
                pg_sys::query_tree_walker(node.cast(), Some(settle_names), context, flags)
            }
            pg_sys::NodeTag::T_RangeTblEntry => {
                let entry = node.cast::<pg_sys::RangeTblEntry>();
                use pg_sys::RTEKind::{RTE_JOIN, RTE_RELATION};
                let kind = (*entry).rtekind;
                if kind == RTE_RELATION || kind == RTE_JOIN && (*entry).alias.is_null() {
                    // Names that nothing shows: rows of a relation as a whole have a type of their own, and
                    // those of a join without a name cannot be asked for.
                    (*entry).alias = std::ptr::null_mut();
                    (*entry).eref = std::ptr::null_mut();
                }
                let met = &mut *context.cast::<Vec<Oid>>();
                if (*entry).relkind == pg_sys::RELKIND_VIEW as std::ffi::c_char {
                    let known = met.iter().position(|view| *view == (*entry).relid);
                    let number = known.unwrap_or_else(|| {
                        met.push((*entry).relid);
                        met.len() - 1
                    });
                    (*entry).relid = Oid::from(number as u32);
                }
                // Its own parts are visited by whoever walks the query.
                false
            }
            pg_sys::NodeTag::T_TargetEntry => {
                let target = node.cast::<pg_sys::TargetEntry>();
                // Where a column came from is for clients to know.
                (*target).resorigtbl = Oid::INVALID;
                (*target).resorigcol = 0;
                pg_sys::expression_tree_walker(node, Some(settle_names), context)
            }
            _ => pg_sys::expression_tree_walker(node, Some(settle_names), context),
        }
    }
}

/// Drops the fields [`LEFT_OUT`]. In the text of a tree a space ends a word: those inside names and values
/// are escaped.
fn without_places(tree: &str) -> String {
    let mut text = String::with_capacity(tree.len());
    let mut words = tree.split(' ');
    while let Some(word) = words.next() {
        if LEFT_OUT.contains(&word) {
            let value = words.next().unwrap_or_default();
            text += value.trim_start_matches(|letter: char| letter == '-' || letter.is_ascii_digit());
        } else {
            text.push(' ');
            text += word;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::without_places;

    #[test]
    fn places_are_left_out() {
        let tree = "{VAR :varno 1 :location 24} {Q :stmt_location 0 :stmt_len -1}) :checkAsUser 10 :aliasname a\\ :location\\ 7";
        assert_eq!(
            without_places(tree),
            " {VAR :varno 1} {Q}) :aliasname a\\ :location\\ 7"
        );
    }
}
