//! Pipeline files: any bytes are one that is fine, or problems that have a place. Nothing is opened.

use std::path::Path;

use pipelines::config::{PipelineFile, Place, without_passwords};

/// Reads and checks `data` as a pipeline file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Patterns of recordings look through folders: not through those of whoever runs this.
    if text.contains("paths") && text.contains(['*', '?', '[', '/', '\\']) {
        return;
    }
    if let Err(error) = gst::init() {
        panic!("{error}");
    }
    let environment = |name: &str| match name {
        "EMPTY" => Some(String::new()),
        "NUMBER" => Some("25".to_owned()),
        "DEEP" => Some("[".repeat(2000)),
        _ => None,
    };
    match PipelineFile::parse(text, &[], &environment) {
        Ok(file) => assert!(!file.streams.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let message = without_passwords(&problem.message);
                assert!(problem.in_file(Path::new("f")).contains(&message));
                if let Place::Line { line, column } = problem.place {
                    assert!(line > 0 && column > 0, "{problem}");
                }
            }
        }
    }
}
