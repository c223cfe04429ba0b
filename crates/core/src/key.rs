//! What "the same" means for a job: readable bytes, compared in full.

/// The longest key, in bytes.
pub const MAX_KEY: usize = 4096;

/// The key of a run: its chosen argument fields with their names, so that a field never stands for another one when the
/// rule changes. The empty key is the job itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(std::sync::Arc<str>);

impl Key {
    /// The job itself.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The key of fields: their canonical text, an object of names and values.
    #[must_use]
    pub fn of(canonical: &str) -> Self {
        Self(canonical.into())
    }

    /// The key as it stands in the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Key> for std::sync::Arc<str> {
    fn from(key: Key) -> Self {
        key.0
    }
}
