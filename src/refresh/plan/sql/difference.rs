//! Which rows differ: equal rows are not written.

use crate::refresh::plan::shape::Shape;

impl Shape {
    /// The columns that may differ in rows with equal keys. Equal values of a key column may have different
    /// images, too.
    pub(super) fn may_differ(&self) -> impl Iterator<Item = &String> {
        let key = self.key.iter().filter(|k| !k.same_image).map(|k| &k.name);
        key.chain(self.content.iter().map(|c| &c.name))
    }

    pub(super) fn is_different(&self, a: &str, b: &str) -> String {
        let row = |of: &str| {
            let columns: Vec<String> = self.may_differ().map(|name| format!("{of}.{name}")).collect();
            format!("ROW({})::record", columns.join(", "))
        };
        match self.may_differ().next() {
            None => "false".to_string(),
            Some(_) => format!("{} *<> {}", row(a), row(b)),
        }
    }
}
