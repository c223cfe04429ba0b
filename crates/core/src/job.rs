//! A job's name.

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// A job's name (the *job type* of the seed): a letter or digit, then up to 63 letters, digits, `.`, `_` or `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(std::sync::Arc<str>);

/// Why a text is not a valid job name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid job name: a letter or digit, then up to 63 letters, digits, `.`, `_` or `-`")]
pub struct BadName(pub String);

impl JobName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BadName`] if the text is empty, longer than [`MAX_NAME`] or has other characters.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let mut bytes = name.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if first && rest && name.len() <= MAX_NAME { Ok(Self(name.into())) } else { Err(BadName(name.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `<JOB>` of the environment variables: upper case, `-` and `.` as `_`.
    #[must_use]
    pub fn env_name(&self) -> String {
        self.0.chars().map(|c| if matches!(c, '-' | '.') { '_' } else { c.to_ascii_uppercase() }).collect()
    }
}

impl std::fmt::Display for JobName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for JobName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "chain_state_monitor", "sync-prices", "9.lives", &"x".repeat(64)] {
            assert!(JobName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-rf", ".", "_a", "a b", "a/b", "a\0", "é", &"x".repeat(65)] {
            assert!(JobName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(JobName::new("sync-prices.v2").map(|n| n.env_name()), Ok("SYNC_PRICES_V2".into()));
    }
}
