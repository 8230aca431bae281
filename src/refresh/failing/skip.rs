//! Which keys are skipped instead of failing the refresh.

/// The classes of keys that are skipped.
#[derive(Clone, Copy, Default)]
pub struct Skip {
    /// Keys that fail.
    pub failing: bool,
    /// Keys whose rows another session holds: it has inserted or changed them, and has not committed yet.
    pub held: bool,
    /// Keys that violate a foreign key to, or from, the table of a TVIEW that is behind.
    pub awaiting: bool,
}

impl Skip {
    pub fn is_nothing(self) -> bool {
        !self.failing && !self.held && !self.awaiting
    }
}
