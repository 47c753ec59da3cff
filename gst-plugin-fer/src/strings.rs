//! Values of string properties, which C programs may set to any bytes: the bindings' own `get` panics
//! at those that are not UTF-8, which would end the program.

use std::path::PathBuf;

use gst::glib;

/// A path, of any bytes that the system takes; `None` for one that is unset or empty.
pub(crate) fn path(value: &glib::Value) -> Option<PathBuf> {
    let path = value.get::<Option<PathBuf>>().ok().flatten();
    path.filter(|path| !path.as_os_str().is_empty())
}

/// A text, with � in place of bytes that are no UTF-8, of which `name` is warned in the log; empty for
/// one that is unset.
pub(crate) fn text(value: &glib::Value, name: &str, log: gst::DebugCategory) -> String {
    let bytes = path(value).unwrap_or_default().into_os_string();
    bytes.into_string().unwrap_or_else(|bytes| {
        let text = bytes.to_string_lossy().into_owned();
        gst::warning!(log, "{name} is taken as \"{text}\": text is UTF-8, what was set is not");
        text
    })
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod testing {
    use gst::prelude::*;

    use super::*;

    /// The value that a program in Latin-1 sets: "é" as one byte.
    pub(crate) fn latin1() -> glib::Value {
        use std::os::unix::ffi::OsStringExt;

        gst::init().unwrap();
        let bytes = b"/tmp/caf\xe9".to_vec();
        PathBuf::from(std::ffi::OsString::from_vec(bytes)).to_value()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use gst::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept_in_paths_and_replaced_in_texts() {
        let value = testing::latin1();
        assert_eq!(path(&value).unwrap().as_os_str().len(), 9);
        assert_eq!(text(&value, "source", *gst::CAT_RUST), "/tmp/caf\u{fffd}");
        for none in [None::<&str>.to_value(), "".to_value()] {
            assert_eq!(path(&none), None);
            assert_eq!(text(&none, "source", *gst::CAT_RUST), "");
        }
    }
}
