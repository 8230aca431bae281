//! What a check finds wrong, and its level.

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// A TVIEW is not being refreshed because of a command or setting, or something may fail soon.
    Warning,
    /// Changes are not captured, or not applied.
    Error,
}

impl Level {
    pub fn status(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
        }
    }

    pub fn severity(self) -> &'static str {
        match self {
            Level::Ok => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// What a check found wrong: level and message. Empty if all is well.
pub type Faults = Vec<(Level, String)>;
