//! What an attempt gives back to those who wait for its run: JSON of bounded size.

use serde::de::IgnoredAny;

/// What a command's line starts with that gives a result.
pub const MARK: &str = "::result ";
/// The header of an HTTP answer that gives a result.
pub const HEADER: &str = "Jobstile-Result";
/// Longest result, in bytes.
pub const MAX_RESULT: usize = 64 << 10;

/// The result that was given, or why it is none.
///
/// # Errors
/// A sentence for the log, without the result itself.
pub fn read(given: &[u8]) -> Result<String, String> {
    if given.len() > MAX_RESULT {
        return Err("it is longer than 64 KiB".to_owned());
    }
    let text = std::str::from_utf8(given).map_err(|_| "it is not UTF-8".to_owned())?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("it is not JSON (column {})", error.column())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_json_of_at_most_64_kib() {
        let longest = format!("\"{}\"", "x".repeat(MAX_RESULT - 2));
        assert_eq!(read(longest.as_bytes()), Ok(longest.clone()));
        assert_eq!(read(format!("{longest} ").as_bytes()), Err("it is longer than 64 KiB".to_owned()));
        assert_eq!(read(b"{\"a\": 1}"), Ok("{\"a\": 1}".to_owned()));
        assert_eq!(read(b"{a: 1}"), Err("it is not JSON (column 2)".to_owned()));
        assert_eq!(read(b"\"\xff\""), Err("it is not UTF-8".to_owned()));
        assert!(read(b"").is_err());
    }
}
