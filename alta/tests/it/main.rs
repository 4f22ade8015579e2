//! The binary itself, with real servers below it.

mod audit;
mod deploy;
mod events_md;
mod openapi;
mod settings;
mod up;
mod vault;
