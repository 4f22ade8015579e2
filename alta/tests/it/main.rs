//! The binary itself, with real servers below it.

mod audit;
mod events_md;
mod openapi;
mod settings;
mod up;
