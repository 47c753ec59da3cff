//! Finding and loading a cascade file.

use std::path::{Path, PathBuf};

use fer_core::detect::BackendError;
use opencv::objdetect::CascadeClassifier;
use opencv::prelude::*;

/// Names the cascade file, if no setting does.
pub const PATH_VARIABLE: &str = "FER_CASCADE";

/// The cascade that is searched.
pub const FILE_NAME: &str = "haarcascade_frontalface_default.xml";

/// Where distributions put OpenCV's cascades.
const FOLDERS: [&str; 4] = [
    "/usr/share/opencv4/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
    "/opt/homebrew/share/opencv4/haarcascades",
];

/// The cascade to use: `given`, else `$FER_CASCADE`, else the first that a distribution installed.
///
/// # Errors
/// None is installed. A file that was named is not looked at yet.
pub fn find(given: Option<&Path>) -> Result<PathBuf, BackendError> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    if let Some(path) = std::env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    find_in(&FOLDERS)
}

fn find_in(folders: &[&str]) -> Result<PathBuf, BackendError> {
    let candidates = || folders.iter().map(|folder| Path::new(folder).join(FILE_NAME));
    candidates().find(|path| path.is_file()).ok_or_else(|| {
        BackendError::Load(format!(
            "no face cascade found. Looked for {FILE_NAME} in: {}. Install OpenCV's data (Debian: \
             opencv-data), or name the file in the cascade setting or in {PATH_VARIABLE}",
            folders.join(", ")
        ))
    })
}

/// Loads the cascade at `path`.
///
/// # Errors
/// The file is missing or holds no cascade.
pub(super) fn load(path: &Path) -> Result<CascadeClassifier, BackendError> {
    let refuse = |problem: &dyn std::fmt::Display| {
        BackendError::Load(format!(
            "cascade {}: {problem}. Give the XML file of a cascade classifier, such as OpenCV's \
             {FILE_NAME}",
            path.display()
        ))
    };
    // OpenCV reports any unreadable file alike, and on stderr.
    let bytes = std::fs::read(path).map_err(|error| refuse(&error))?;
    if bytes.is_empty() {
        return Err(refuse(&"the file is empty"));
    }
    let mut cascade = CascadeClassifier::default().map_err(|error| refuse(&error.message))?;
    match cascade.load(path) {
        Err(error) => {
            let words: Vec<_> = error.message.split_whitespace().collect();
            Err(refuse(&format!("damaged or not XML ({})", words.join(" "))))
        }
        Ok(false) => Err(refuse(&"not a cascade classifier")),
        Ok(true) => Ok(cascade),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_wins() {
        assert_eq!(find(Some(Path::new("/mine.xml"))).unwrap(), Path::new("/mine.xml"));
    }

    #[test]
    fn without_a_cascade_the_error_says_where_it_looked_and_what_to_do() {
        let error = find_in(&["/nowhere/a", "/nowhere/b"]).unwrap_err().to_string();
        for part in ["/nowhere/a", "/nowhere/b", FILE_NAME, PATH_VARIABLE, "opencv-data"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
