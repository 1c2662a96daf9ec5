//! A second verdict.
