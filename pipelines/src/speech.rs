//! What this program says. Whoever listened may have gone: then nobody is left to be told, and the
//! work goes on.

use std::io::{self, ErrorKind, Write};

/// A line on the standard error.
pub fn tell(line: &str) {
    // Rust's own macro would end the thread instead.
    let _ = writeln!(io::stderr(), "{line}");
}

/// So many of something, whose name takes an s.
pub fn count(number: impl Into<u64>, name: &str) -> String {
    match number.into() {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}

/// A result, as lines on the standard output.
///
/// # Errors
///
/// It cannot be written, as on a full disk. That its reader has read enough and gone is none.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// An error and its causes, but those that it tells itself.
pub fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.is_empty() {
            true => cause,
            false if text.ends_with(&cause) => text,
            false => format!("{text}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    #[test]
    fn no_cause_is_told_twice() {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        let twice = anyhow::Error::new(missing()).context("a.yaml: no such file");
        assert_eq!(super::with_causes(&twice), "a.yaml: no such file");
        let deeper = Err::<(), _>(missing()).context("a.yaml").context("cannot run");
        assert_eq!(super::with_causes(&deeper.unwrap_err()), "cannot run: a.yaml: no such file");
    }
}
