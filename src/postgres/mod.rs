//! The only folder with `unsafe`: guards over what pgrx does not wrap.
