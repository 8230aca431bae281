//! What refreshing costs, as the planner sees it.

/// What the planner expects of the statements of a TVIEW, with the present size of its sources.
pub struct Costs {
    /// Up to this number, looking up keys one by one costs less than computing them together. A key that
    /// cannot be pushed down into the view (below a window, say), or without an index, costs as much as the
    /// whole view.
    pub few: usize,
    /// Whether one key costs as much as the whole view.
    pub is_dear: bool,
    /// Whether a few keys cost less than the whole view.
    pub by_key: bool,
}
