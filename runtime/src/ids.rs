//! The one source of new ids: UUID version 7, so that indexes over them stay dense.

use uuid::Uuid;

/// Hands out new ids. Cloning is free.
#[derive(Clone, Debug)]
pub struct Ids(());

impl Ids {
    /// Ids from this machine's clock and random source.
    pub fn system() -> Self {
        Self(())
    }

    /// A new id (UUID version 7), greater than those this process made before.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the source that the others are handed"
    )]
    pub fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend() {
        let ids = Ids::system();
        let first = ids.next();
        assert!(ids.next() > first);
        assert_eq!(first.get_version_num(), 7);
    }
}
