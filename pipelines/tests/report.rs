//! `fer report` as its users run it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

fn report(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fer"));
    command.arg("report").args(arguments).current_dir(folder);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Frame `number` at ten frames a second, with one face that shows `label`.
fn line(stream: &str, number: u64, label: &str, changed: Option<&str>) -> String {
    let time = number * 100_000_000;
    let names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"];
    let share = |name: &str| json!(if name == label { 0.7 } else { 0.05 });
    let probabilities: Value = names
        .iter()
        .map(|name| ((*name).to_owned(), share(name)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let events: Vec<Value> = changed
        .map(|from| json!({ "type": "emotion-changed", "id": 1, "from": from, "to": label }))
        .into_iter()
        .collect();
    let place = json!({ "x_min": 0.1, "x_max": 0.2, "y_min": 0.1, "y_max": 0.2 });
    let record = json!({
        "schema_version": 1, "stream_id": stream, "frame": number, "timestamp": time,
        "pts_ns": time, "running_time_ns": time, "resolution": { "width": 640, "height": 360 },
        "objects": [{
            "x": 64, "y": 36, "w": 64, "h": 36, "id": 1, "roi_type": "face", "detected": true,
            "detection": { "bounding_box": place, "confidence": 0.9, "label": "face" },
            "emotion": {
                "label": label, "confidence": 0.7, "stable": label, "since_ns": 0,
                "probabilities": probabilities, "raw": probabilities, "model": { "name": "m" },
                "inferred": true, "age_ns": 0,
            },
        }],
        "events": events,
    });
    format!("{record}\n")
}

/// Neutral for two seconds, then happy for one.
fn smile(stream: &str) -> String {
    let frame = |number| match number {
        0 => line(stream, 0, "neutral", Some("uncertain")),
        1..20 => line(stream, number, "neutral", None),
        20 => line(stream, 20, "happiness", Some("neutral")),
        _ => line(stream, number, "happiness", None),
    };
    (0..=30).map(frame).collect()
}

/// Whether every element ends, in the right order.
fn assert_well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "input", "img", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let name = tag.split([' ', '>', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "<{tag}"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_page_worked_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("door.jsonl"), smile("a <b>&\"door\"")).unwrap();
    let output = report(folder.path(), &["door.jsonl"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "door.html\n");
    let page = std::fs::read_to_string(folder.path().join("door.html")).unwrap();
    assert_well_formed(&page);
    for outside in ["<script", "://", "src=", "href=", "url(", "@import", "<b>&\"door"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for part in [
        "<h2>a &lt;b&gt;&amp;&quot;door&quot;</h2>",
        "<b>3.0 s</b><span>duration</span>",
        "<b>31</b><span>frames</span>",
        "<b>1</b><span>face</span>",
        // The first label is no change; one in 3 s is 20 a minute.
        "<b>1</b><span>change</span>",
        "<b>20.0</b>",
        "neutral</td><td class=\"number\">2.0 s</td><td class=\"number\">66.7 %</td>",
        "happiness</td><td class=\"number\">1.0 s</td><td class=\"number\">33.3 %</td>",
        "fear</td><td class=\"number\">0.0 s</td><td class=\"number\">0.0 %</td>",
        "style=\"left:0.000%;width:66.667%\" title=\"face 1: neutral\n0:00.0 – 0:02.0 (2.0 s)\"",
        "style=\"left:66.667%;width:33.333%\" title=\"face 1: happiness\n0:02.0 – 0:03.0 (1.0 s)\"",
        "<td class=\"number\">0:02.0</td><td class=\"number\">1</td>",
        // At the bottom of the stack, neutral: 70 % of the height, then 5 %.
        "<path class=\"neutral\" d=\"M0 100L0.0 30.0 ",
        "1000.0 95.0 1000 100Z\"",
        "\nneutral 70 %\nanger 5 %",
    ] {
        assert!(page.contains(part), "not in the page: {part}");
    }
}

#[test]
fn files_of_one_stream_are_joined_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let all = smile("door");
    let half = all.match_indices('\n').nth(14).unwrap().0 + 1;
    for (name, text) in [("a.jsonl", &all[..half]), ("b.jsonl", &all[half..]), ("c.jsonl", &all)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    // A night in which nobody came.
    std::fs::write(folder.path().join("night.jsonl"), "").unwrap();
    let files = ["a.jsonl", "night.jsonl", "b.jsonl", "c.jsonl"];
    let output = report(folder.path(), &[&files[..], &["-o", "all.html"]].concat());
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("warning: night.jsonl: there is no whole line in it"), "{told}");
    let page = std::fs::read_to_string(folder.path().join("all.html")).unwrap();
    assert_well_formed(&page);
    // a and b together say what c says.
    assert_eq!(page.matches("<b>31</b><span>frames</span>").count(), 2);
    assert_eq!(page.matches("66.7 %").count(), 2);
    assert!(page.contains("a.jsonl, b.jsonl · 640 × 360 pixels · model m"));
}

#[test]
fn rotated_files_are_read_in_the_order_of_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let all = smile("door");
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    // 31 lines: one for each of the first ten files, and the rest.
    for number in 1..=11 {
        let part = if number < 11 { &lines[number - 1..number] } else { &lines[10..] };
        let name = if number == 1 { "door.jsonl".into() } else { format!("door-{number}.jsonl") };
        std::fs::write(folder.path().join(name), part.concat()).unwrap();
    }
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!((files[0].as_str(), files[10].as_str()), ("door-10.jsonl", "door.jsonl"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = report(folder.path(), &[&files[..], &["-o", "all.html"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(folder.path().join("all.html")).unwrap();
    assert_eq!(page.matches("<b>31</b><span>frames</span>").count(), 1);
    assert!(page.contains("door.jsonl, door-2.jsonl, door-3.jsonl"));
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let whole = smile("door");
    let first = line("door", 0, "neutral", None);
    for (name, content, parts) in [
        ("empty.jsonl", String::new(), ["empty.jsonl", "no whole line"]),
        (
            "broken.jsonl",
            whole.replacen("\"frame\":2,", "\"frame\":", 1),
            ["broken.jsonl", "line 3 "],
        ),
        (
            "newer.jsonl",
            first.clone() + &first.replace("\"schema_version\":1", "\"schema_version\":2"),
            ["newer.jsonl", "line 2 has schema_version 2"],
        ),
        ("video.mp4", "\0\0\0 ftypisom\n".into(), ["video.mp4", "line 1 is not ferjson output"]),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let output = report(folder.path(), &[name, "-o", "page.html"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let told = text(&output.stderr);
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(!folder.path().join("page.html").exists());
    }
    let output = report(folder.path(), &["nowhere.jsonl"]);
    assert!(text(&output.stderr).contains("nowhere.jsonl: No such file"));
    let output = report(folder.path(), &["newer.jsonl", "-o", "./newer.jsonl"]);
    assert!(text(&output.stderr).contains("would replace"), "{}", text(&output.stderr));
}

#[test]
fn a_page_replaces_pages_alone() {
    let folder = tempfile::tempdir().unwrap();
    let talk = folder.path().join("talk.mp4");
    std::fs::write(&talk, "film").unwrap();
    std::fs::write(folder.path().join("door.jsonl"), smile("door")).unwrap();
    let output = report(folder.path(), &["door.jsonl", "-o", "talk.mp4"]);
    let told = text(&output.stderr);
    assert!(told.contains("talk.mp4: it is there already, and no page"), "{told}");
    assert_eq!(std::fs::read(&talk).unwrap(), b"film");
    for _ in 0..2 {
        assert!(report(folder.path(), &["door.jsonl"]).status.success());
    }
}

#[test]
fn a_last_line_that_was_broken_off_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = smile("door");
    whole.truncate(whole.len() - 40);
    std::fs::write(folder.path().join("door.jsonl"), whole).unwrap();
    let output = report(folder.path(), &["door.jsonl"]);
    assert!(output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("warning: door.jsonl: line 31, the last one, is broken off"), "{told}");
    let page = std::fs::read_to_string(folder.path().join("door.html")).unwrap();
    assert!(page.contains("<b>30</b><span>frames</span>") && page.contains("door.jsonl: line 31"));
}

#[test]
fn pictures_of_changes_are_shown_where_some_were_saved() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("door.jsonl"), smile("door")).unwrap();
    let album = folder.path().join("faces/happiness");
    std::fs::create_dir_all(&album).unwrap();
    let red = image::RgbImage::from_pixel(400, 200, image::Rgb([250, 0, 0]));
    let named = |stream: &str, millis: u32| {
        format!("{stream}_20261118T110640.000Z_{millis:010}ms_face1_neutral-happiness.png")
    };
    // That of the change, of another time of that face, of another face, and of another stream.
    for name in [
        named("door", 2000),
        named("door", 500),
        named("door", 2000).replace("face1", "face2"),
        named("yard", 2000),
    ] {
        red.save(album.join(name)).unwrap();
    }
    let output = report(folder.path(), &["door.jsonl", "--faces", "faces"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(folder.path().join("door.html")).unwrap();
    assert_well_formed(&page);
    assert!(page.contains("style-src 'unsafe-inline'; img-src data:\""));
    let pictures: Vec<&str> = page.split("data:image/jpeg;base64,").skip(1).collect();
    // Two beside the face's row, and one in the list of changes.
    assert_eq!(pictures.len(), 3);
    let bytes = BASE64_STANDARD.decode(pictures[0].split('"').next().unwrap()).unwrap();
    let shown = image::load_from_memory(&bytes).unwrap().into_rgb8();
    assert_eq!(shown.dimensions(), (112, 56));
    assert!(shown.pixels().all(|pixel| pixel[0] > 240 && pixel[1] < 10));

    for millis in [500, 2000] {
        std::fs::write(album.join(named("door", millis)), "no picture").unwrap();
    }
    assert!(report(folder.path(), &["door.jsonl", "--faces", "faces"]).status.success());
    let page = std::fs::read_to_string(folder.path().join("door.html")).unwrap();
    assert!(!page.contains("base64,") && page.contains("Png"), "the reason is told");

    // The camera came back, and numbers and times began anew: each face has the pictures of its own time.
    let live = |hour: u32| {
        let utc = |(second, line): (usize, &str)| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let (second, tenth) = (second / 10, second % 10);
            line["utc"] = json!(format!("2026-11-18T{hour}:06:{second:02}.{tenth}00000Z"));
            format!("{line}\n")
        };
        smile("door").lines().enumerate().map(utc).collect::<String>()
    };
    std::fs::write(folder.path().join("live.jsonl"), live(11) + &live(12)).unwrap();
    std::fs::remove_dir_all(&album).unwrap();
    std::fs::create_dir_all(&album).unwrap();
    red.save(album.join(named("door", 2000).replace("T110640", "T110602"))).unwrap();
    let green = image::RgbImage::from_pixel(400, 200, image::Rgb([0, 250, 0]));
    green.save(album.join(named("door", 2000).replace("T110640", "T120602"))).unwrap();
    assert!(report(folder.path(), &["live.jsonl", "--faces", "faces"]).status.success());
    let page = std::fs::read_to_string(folder.path().join("live.html")).unwrap();
    assert!(
        page.contains("taken 2026-11-18 11:06:00 to 12:06:03 UTC"),
        "{}",
        page.split("<section>").nth(1).unwrap_or_default()
    );
    let pictures: Vec<&str> = page.split("data:image/jpeg;base64,").skip(1).collect();
    let is_red = |picture: &&str| {
        let bytes = BASE64_STANDARD.decode(picture.split('"').next().unwrap()).unwrap();
        image::load_from_memory(&bytes).unwrap().into_rgb8().get_pixel(9, 9)[0] > 200
    };
    // One beside each face, one beside each change.
    assert_eq!(pictures.iter().map(is_red).collect::<Vec<_>>(), [true, false, true, false]);

    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for (name, part) in [("empty", "no picture in it"), ("nowhere", "nowhere: ")] {
        let output = report(folder.path(), &["door.jsonl", "--faces", name]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}
