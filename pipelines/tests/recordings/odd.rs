//! Recordings that are not as most are, and come out right all the same.

use std::path::Path;

use serde_json::Value;

use super::support::{
    H264, Picture, annotate, difference, end, film, gif, original, pictures, play, say_turned,
    shot, sounds, track,
};

/// How far from the original two lossy encoders may lead, of 255; the first frame of a film without
/// a rate is 7 away.
const LOSS: f64 = 10.0;

fn size(line: &Value) -> (u64, u64) {
    let side = |name: &str| line["resolution"][name].as_u64().unwrap();
    (side("width"), side("height"))
}

fn smiles(lines: &[Value]) -> usize {
    let is_smile = |line: &&Value| line["objects"][0]["emotion"]["stable"] == "happiness";
    lines.iter().filter(is_smile).count()
}

/// Every frame is there, looks as it was filmed, and the face is found.
fn is_the_film(lines: &[Value], made: &Path, frames: usize) {
    assert_eq!(lines.len(), frames);
    assert!(smiles(lines) > frames / 2, "{} smiles", smiles(lines));
    let shown = pictures(made, Some((640, 480)));
    assert_eq!(shown.len(), frames);
    for (index, Picture { rgb, .. }) in shown.iter().enumerate().step_by(10) {
        let loss = difference(rgb, &original(index as u64));
        assert!(loss < LOSS, "frame {index}: {loss}");
    }
}

#[test]
fn a_turned_recording_comes_out_upright() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (stored, quarters, sides) in
        [("90l", 1, (480, 640)), ("180", 2, (640, 480)), ("90r", 3, (480, 640))]
    {
        let encode = format!("videoflip video-direction={stored} ! {H264}");
        shot(&path("turned.mp4"), &encode, "mp4mux name=m", "", 25, |_| 40);
        say_turned(&path("turned.mp4"), quarters);
        let first = &pictures(&path("turned.mp4"), None)[0];
        assert_eq!((first.width, first.height), sides, "{stored}: as it lies");
        for made in ["upright.mp4", "upright.mkv"] {
            let _ = std::fs::remove_file(path("upright.jsonl"));
            let lines = annotate(folder.path(), "turned.mp4", made);
            assert_eq!(size(&lines[0]), (640, 480), "{stored}");
            is_the_film(&lines, &path(made), 25);
            // It does not say that it should be turned once more.
            let again = annotate(folder.path(), made, "again.mp4");
            is_the_film(&again, &path("again.mp4"), 25);
            for name in ["again.mp4", "again.jsonl", made] {
                std::fs::remove_file(path(name)).unwrap();
            }
        }
    }
}

#[test]
fn ten_bits_come_out_as_eight() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let encode = "video/x-raw,format=I420_10LE ! x264enc speed-preset=ultrafast ! \
                  video/x-h264,profile=high-10 ! h264parse";
    shot(&path("deep.mp4"), encode, "mp4mux name=m", "", 25, |_| 40);
    for made in ["deep.out.mp4", "deep.out.webm"] {
        let _ = std::fs::remove_file(path("deep.out.jsonl"));
        is_the_film(&annotate(folder.path(), "deep.mp4", made), &path(made), 25);
    }
}

#[test]
fn odd_sides_lose_no_more_than_a_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let encode = "videoscale ! video/x-raw,width=321,height=241 ! vp8enc deadline=1 cpu-used=8 \
                  target-bitrate=4000000";
    shot(&path("odd.webm"), encode, "webmmux name=m", "", 25, |_| 40);
    let lines = annotate(folder.path(), "odd.webm", "even.mp4");
    assert_eq!(size(&lines[0]), (321, 241), "the recording's own size");
    let shown = pictures(&path("even.mp4"), None);
    let (width, height) = (shown[0].width, shown[0].height);
    assert!(width.abs_diff(321) == 1 && height.abs_diff(241) == 1, "{width}x{height}");
    let before = pictures(&path("odd.webm"), Some((width, height)));
    assert_eq!((lines.len(), shown.len(), before.len()), (25, 25, 25));
    for (index, (shown, before)) in shown.iter().zip(&before).enumerate() {
        let loss = difference(&shown.rgb, &before.rgb);
        assert!(loss < LOSS, "frame {index}: {loss}");
    }
    assert!(smiles(&lines) > 12);
}

#[test]
fn interlaced_video_keeps_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Two frames are the fields of one.
    let encode = "interlace field-pattern=1:1 ! x264enc speed-preset=ultrafast interlaced=true ! \
                  h264parse";
    shot(&path("fields.mp4"), encode, "mp4mux name=m", "", 50, |_| 20);
    let before = pictures(&path("fields.mp4"), None);
    let lines = annotate(folder.path(), "fields.mp4", "out.mp4");
    let shown = pictures(&path("out.mp4"), None);
    assert!(before.len() >= 24, "{} frames", before.len());
    assert_eq!((lines.len(), shown.len()), (before.len(), before.len()));
    assert!(smiles(&lines) > 12);
    for (index, (shown, before)) in shown.iter().zip(&before).enumerate() {
        assert_eq!(shown.time, before.time, "frame {index}");
        let loss = difference(&shown.rgb, &before.rgb);
        assert!(loss < LOSS, "frame {index}: {loss}");
    }
}

#[test]
fn both_sound_tracks_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tone = |wave: &str| {
        format!(
            "audiotestsrc num-buffers=50 samplesperbuffer=960 wave={wave} ! \
                 audio/x-raw,rate=48000 ! opusenc ! queue ! m."
        )
    };
    let tracks = format!("{} {}", tone("sine"), tone("pink-noise"));
    shot(&path("two.mkv"), H264, "matroskamux name=m", &tracks, 25, |_| 40);
    assert_eq!(sounds(&path("two.mkv"), "matroskademux"), 2);
    for (made, demuxer) in [("a.mp4", "qtdemux"), ("b.mkv", "matroskademux")] {
        annotate(folder.path(), "two.mkv", made);
        assert_eq!(sounds(&path(made), demuxer), 2, "{made}");
    }
}

#[test]
fn sound_may_begin_later_and_end_much_later_or_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tone = |buffers: u32, late: u32| {
        format!(
            "audiotestsrc num-buffers={buffers} samplesperbuffer=960 timestamp-offset={late} ! \
             audio/x-raw,rate=48000 ! opusenc"
        )
    };
    for (name, sound, frames) in [
        ("later", tone(50, 1_000_000_000), 50),
        ("longer", tone(1500, 0), 25),
        ("shorter", tone(10, 0), 100),
        ("much shorter", tone(10, 0), 1000),
    ] {
        let (input, made) = (format!("{name}.mkv"), format!("{name}.out.mkv"));
        film(&path(&input), "matroskamux", &sound, frames, |_| 40);
        let lines = annotate(folder.path(), &input, &made);
        assert_eq!(lines.len() as u64, frames, "{name}");
        assert_eq!(pictures(&path(&made), None).len() as u64, frames, "{name}");
        let sound = track(&path(&input), "audio/x-opus");
        assert!(sound.len() >= 10, "{name}");
        assert!(track(&path(&made), "audio/x-opus") == sound, "{name}: the very packets");
    }
}

/// Broadcasters' AAC says that it is of MPEG-2, which MP4 does not take.
#[test]
fn aac_is_carried_over_and_that_of_mpeg_2_is_encoded_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let sound = "audiotestsrc num-buffers=50 samplesperbuffer=960 ! audio/x-raw,rate=48000 ! \
                 avenc_aac ! aacparse ! audio/mpeg,stream-format=adts";
    film(&path("four.ts"), "mpegtsmux", sound, 25, |_| 40);
    // The beginning of a frame of AAC LC at 48 kHz, and the same with the bit set.
    let mut bytes = std::fs::read(path("four.ts")).unwrap();
    let mut frames = 0;
    for at in 0..bytes.len() - 2 {
        if bytes[at..at + 2] == [0xff, 0xf1] && bytes[at + 2] & 0xfc == 0x4c {
            bytes[at + 1] = 0xf9;
            frames += 1;
        }
    }
    assert!(frames > 30, "{frames}");
    std::fs::write(path("two.ts"), bytes).unwrap();
    for (input, kind) in [("four", "audio/mpeg"), ("two", "audio/x-opus")] {
        for container in ["mp4", "mkv"] {
            let made = format!("{input}.{container}.{container}");
            assert_eq!(annotate(folder.path(), &format!("{input}.ts"), &made).len(), 25, "{made}");
            assert!(track(&path(&made), kind).len() > 30, "{made}");
        }
    }
}

#[test]
fn of_two_pictures_the_first_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let second = format!("videotestsrc num-buffers=25 ! {H264} ! queue ! m.");
    let path = |name: &str| folder.path().join(name);
    shot(&path("two.mkv"), H264, "matroskamux name=m", &second, 25, |_| 40);
    is_the_film(&annotate(folder.path(), "two.mkv", "out.mp4"), &path("out.mp4"), 25);
}

#[test]
fn times_that_begin_late_keep_their_distances() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    end(&play(&format!(
        "videotestsrc num-buffers=25 timestamp-offset=5000000000 ! {H264} ! mpegtsmux ! \
         filesink location={}",
        path("late.ts").display()
    )));
    let lines = annotate(folder.path(), "late.ts", "out.mp4");
    assert_eq!(lines.len(), 25);
    let times: Vec<_> = pictures(&path("out.mp4"), None).iter().map(|it| it.time).collect();
    let steps: Vec<u64> =
        times.windows(2).map(|pair| (pair[1].unwrap() - pair[0].unwrap()).mseconds()).collect();
    assert_eq!(steps.len(), 24);
    assert!(steps.iter().all(|step| (32..=34).contains(step)), "{steps:?}");
}

#[test]
fn a_gif_is_played_once_with_its_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Of those that say nothing browsers make 100 ms.
    gif(&path("a.gif"), 12, |index| [40, 80, 0][index as usize % 3]);
    let lines = annotate(folder.path(), "a.gif", "out.mp4");
    assert_eq!((lines.len(), size(&lines[0])), (12, (320, 240)));
    assert!(smiles(&lines) > 6, "{} smiles", smiles(&lines));
    let times: Vec<_> = pictures(&path("out.mp4"), None).iter().map(|it| it.time).collect();
    let expected = [0, 40, 120, 220, 260, 340, 440, 480, 560, 660, 700, 780];
    assert_eq!(times, expected.map(gst::ClockTime::from_mseconds).map(Some));
}
