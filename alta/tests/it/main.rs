//! The binary itself, with real servers below it.

mod openapi;
mod settings;
mod up;
