//! What the kernel makes of a program: which can never start, and why.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

/// How much of a first line the kernel reads (`BINPRM_BUF_SIZE`).
const FIRST_LINE: usize = 256;
/// How many scripts may be each other's interpreter.
const DEPTH: usize = 4;

/// Why a command can never start as it is defined, with the exit code that a shell gives for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Never {
    /// 126 or 127.
    pub code: i32,
    /// One line: `/srv/x: its interpreter /bin/sh\r does not exist (the first line ends in a carriage return)`.
    pub reason: String,
}

/// Looks at the first line of a program that exists and may be executed: can the kernel start it?
///
/// `None` where nothing is wrong with it, and where it cannot be read, which proves nothing.
#[must_use]
pub fn look(path: &Path) -> Option<Never> {
    look_at(path, DEPTH)
}

fn look_at(path: &Path, depth: usize) -> Option<Never> {
    let mut first = Vec::new();
    File::open(path).ok()?.take(FIRST_LINE as u64).read_to_end(&mut first).ok()?;
    let never = |code, what: String| Some(Never { code, reason: format!("{}: {what}", path.display()) });
    if first.is_empty() {
        return never(126, "the file is empty".to_owned());
    }
    let Some(rest) = first.strip_prefix(b"#!") else {
        // Any number of formats can be registered; text without a first line for the kernel is none of them.
        let is_text = !first.contains(&0) && std::str::from_utf8(&first[..first.len().min(64)]).is_ok();
        return if is_text {
            never(126, "no executable format, and no `#!` in its first line".to_owned())
        } else {
            None
        };
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let word = line.trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
    if word.is_empty() {
        return never(126, "its first line names no interpreter behind `#!`".to_owned());
    }
    let shown = crate::text::clean_bytes(word);
    let hint = if word.ends_with(b"\r") { ": the line ends in a carriage return, as on Windows" } else { "" };
    let interpreter = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(word));
    match fs::metadata(interpreter) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            never(127, format!("its interpreter {shown} does not exist{hint}"))
        }
        Err(_) => None,
        Ok(file) if !file.is_file() || access(interpreter, Access::EXEC_OK).is_err() => {
            never(126, format!("its interpreter {shown} is not executable"))
        }
        Ok(_) if depth == 0 => never(126, "its interpreters are scripts of each other".to_owned()),
        // The interpreter of an interpreter: what the kernel looks at next.
        Ok(_) => look_at(interpreter, depth - 1)
            .map(|never| Never { reason: format!("{}: its interpreter {}", path.display(), never.reason), ..never }),
    }
}

/// Is this why a start failed for ever? Else something that may come is missing: memory, a process, a file that is written.
#[must_use]
pub fn judge(path: &Path, error: &io::Error) -> Option<Never> {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let general = |what: &str| Some(Never { code: 126, reason: format!("{}: {what}", path.display()) });
    match errno {
        Some(Errno::TOOBIG) => general("its arguments and environment are too long for the kernel"),
        Some(Errno::NOEXEC) => look(path).or_else(|| general("no executable format of this machine")),
        // The file was there a moment ago, so what is missing is what it is run by.
        Some(Errno::NOENT) if path.exists() => look(path).or_else(|| {
            Some(Never { code: 127, reason: format!("{}: the loader that it names does not exist", path.display()) })
        }),
        Some(Errno::ACCESS | Errno::LOOP | Errno::NOTDIR) if path.exists() => look(path),
        // A word with a NUL byte, which no command line can have.
        None if error.kind() == io::ErrorKind::InvalidInput => general("a NUL byte in its arguments or environment"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_whether_a_script_can_start() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("plain"), "").expect("written");
        let plain = dir.path().join("plain").display().to_string();
        let cases = [
            ("#!/bin/sh\necho", None),
            ("#! /bin/sh -e\n", None),
            ("#!/bin/sh", None),
            ("\x7fELF\x02\x01\x01\x00", None),
            ("", Some((126, "the file is empty".to_owned()))),
            ("echo hello\n", Some((126, "no executable format, and no `#!` in its first line".to_owned()))),
            ("#!\n", Some((126, "its first line names no interpreter behind `#!`".to_owned()))),
            ("#!/nosuch -x\n", Some((127, "its interpreter /nosuch does not exist".to_owned()))),
            (
                "#!/bin/sh\r\n",
                Some((
                    127,
                    "its interpreter /bin/sh\\r does not exist: the line ends in a carriage return, as on Windows"
                        .to_owned(),
                )),
            ),
            (&format!("#!{plain}\n"), Some((126, format!("its interpreter {plain} is not executable")))),
        ];
        let path = dir.path().join("script");
        for (text, expected) in cases {
            fs::write(&path, text).expect("written");
            let expected = expected.map(|(code, what)| Never { code, reason: format!("{}: {what}", path.display()) });
            assert_eq!(look(&path), expected, "{text:?}");
        }
    }
}
