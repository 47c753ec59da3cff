//! What this program says. Whoever listened may have gone: then nobody is left to be told, and the
//! work goes on.

use std::io::{self, ErrorKind, Write};

/// A line on the standard error.
pub(crate) fn tell(line: &str) {
    // Rust's own macro would end the program instead.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A result on the standard output.
///
/// # Errors
///
/// It cannot be written, as on a full disk. That its reader has read enough and gone is none.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
