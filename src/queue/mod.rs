//! 2. The log: append, read since a position, trim.
