//! A client of the running service, for whole journeys: it speaks HTTP and reads the mails that the
//! service writes, and knows nothing of what is inside.

pub mod chaos;
mod client;
mod mailbox;
mod people;
pub mod resident;

pub use client::{Answer, Client, Upload};
pub use mailbox::Mailbox;
pub use people::{PASSWORD, Person, super_admin};
