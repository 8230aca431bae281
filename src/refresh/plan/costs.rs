//! What refreshing costs, as the planner sees it.

/// What the planner expects of a TVIEW's statements, as its sources are.
pub struct Costs {
    /// How many keys are looked up one by one before computing them together costs less. A key that cannot be pushed into the
    /// view (below a window, say), or for which there is no index, costs as much as the view.
    pub few: usize,
    /// Whether few keys cost less than the view.
    pub by_key: bool,
}
