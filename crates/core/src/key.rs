//! What "the same" means for a job: readable bytes, compared in full.

/// The longest key, in bytes.
pub const MAX_KEY: usize = 4096;

crate::id::text! {
    /// The key of a run: its chosen argument fields with their names, so that a field never stands for another one if the
    /// rule changes. The empty key is the job itself.
    Key
}

impl Key {
    /// The job itself.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }
}
