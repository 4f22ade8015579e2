//! The binary itself, with real servers below it.

mod up;
