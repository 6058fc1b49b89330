//! Whole-program tests live in `whole/`; this crate has no code of its own.
