//! What holds for the rules as a whole: laws over random histories, policies, and the stored shapes.

mod laws;
mod policy;
mod wire;
