//! Recordings: any bytes are JSON Lines of ferjson's, or an error; what was read can be drawn.

use std::time::Duration;

use pipelines::recording::{Recording, Summary};
use pipelines::report::{Pictures, page};

/// Reads `data` as a recording of one file, and as files one after another that zeros part.
pub fn run(data: &[u8]) {
    if let Ok(summary) = Summary::read(data) {
        assert!(summary.frames > 0 && summary.unanalysed <= summary.frames);
        let held = (0..7).map(|index| summary.emotions[index]).sum::<Duration>();
        assert_eq!(held + summary.uncertain, summary.face_time());
        if let Some(share) = summary.share(None) {
            assert!((0.0..=1.0).contains(&share));
        }
        let _ = summary.changes_per_minute();
    }
    let mut recording = Recording::default();
    for (index, file) in data.split(|byte| *byte == 0).take(3).enumerate() {
        let _ = recording.read(&format!("{index}.jsonl"), file);
    }
    for stream in &recording.streams {
        for face in &stream.faces {
            assert!(face.from <= face.to, "{face:?}");
            assert!(face.held.windows(2).all(|pair| pair[0].to == pair[1].from), "{face:?}");
            assert!(
                face.probabilities.means().count() <= pipelines::recording::Probabilities::MOST
            );
        }
    }
    // No script: names and labels come from the file.
    assert!(!page(&recording, &Pictures::default()).contains("<script"));
}
