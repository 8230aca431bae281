//! What a check finds wrong, and how bad it is.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Ok,
    /// Something stands still by somebody's will, or soon may.
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

/// What a check found wrong; nothing if all is well.
pub type Faults = Vec<(Level, String)>;
