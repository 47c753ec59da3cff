//! Guards against drift between documents and code.

use fer_core::manifest::Manifest;
use gst::prelude::*;

use crate::support::{documents, init, root};

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_tuning_page_names_every_property() {
    init();
    let page = text("docs/tuning.md");
    for name in ["ferdetect", "feroverlay", "ferjson"] {
        let element = gst::ElementFactory::make(name).build().unwrap();
        for property in element.list_properties() {
            if ["name", "parent", "qos"].contains(&property.name()) {
                continue;
            }
            let named = format!("`{}`", property.name());
            assert!(page.contains(&named), "{name}: {named} is not in docs/tuning.md");
        }
    }
}

#[test]
fn what_may_be_chosen_is_named_where_users_read_of_it() {
    let (page, example) = (text("docs/tuning.md"), text("pipelines/webcam.yaml"));
    for property in ["detector", "detector-profile", "tracker", "smoothing"] {
        let row = format!("| `{property}` |");
        let row = page.lines().find(|line| line.starts_with(&row)).unwrap();
        let before = example.find(&format!("      {property}: ")).unwrap();
        let comment = example[..before].rsplit("\n      ").take_while(|line| line.starts_with('#'));
        let comment: String = comment.collect();
        for name in gstfer::ferdetect::names(property).unwrap() {
            assert!(row.contains(&format!("`{name}`")), "{name} is not in docs/tuning.md: {row}");
            assert!(comment.contains(name), "{name} is not in webcam.yaml: {comment}");
        }
    }
}

#[test]
fn each_module_has_its_place_in_the_code_map() {
    let page = text("ARCHITECTURE.md");
    for source in
        ["fer-core/src", "fer-backends/src", "gst-plugin-fer/src", "pipelines/src", "train/src"]
    {
        let heading = format!("### `{source}`\n");
        let map = page.split(heading.as_str()).nth(1).unwrap_or_else(|| panic!("no {heading}"));
        let map = map.split("\n#").next().unwrap();
        let folder = root().join(source);
        for entry in walkdir::WalkDir::new(&folder) {
            let path = entry.unwrap().into_path();
            let file = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            let is_test = file.ends_with("tests.rs") || file.contains("tests/");
            if is_test || !file.ends_with(".rs") || ["lib.rs", "main.rs"].contains(&file) {
                continue;
            }
            // A file has a row, or its folder has one for all of its files.
            let all = file.rsplit_once('/').map(|(folder, _)| format!("| `{folder}/*` |"));
            let is_named =
                map.contains(&format!("| `{file}` |")) || all.is_some_and(|row| map.contains(&row));
            assert!(is_named, "{source}/{file} is not in ARCHITECTURE.md's code map");
        }
        let rows = map.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        for row in rows {
            let path = folder.join(row.trim_end_matches("/*"));
            assert!(path.exists(), "ARCHITECTURE.md: there is no {source}/{row}");
        }
    }
}

/// The part of an address by which a heading is linked to, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    assert_eq!(anchor("## The table batch.csv"), "the-table-batchcsv");
    let others = ["models/README.md", "train/README.md", "fuzz/README.md"].map(str::to_owned);
    for document in documents().into_iter().chain(others) {
        let page = text(&document);
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let path = match file {
                "" => root().join(&document),
                _ => root().join(&document).parent().unwrap().join(file),
            };
            assert!(path.exists(), "{document}: {link} leads nowhere");
            if !wanted.is_empty() {
                let target = std::fs::read_to_string(&path).unwrap();
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|heading| anchor(heading) == wanted);
                assert!(is_there, "{document}: {link}: there is no such heading");
            }
        }
    }
}

#[test]
fn the_readmes_model_figures_are_the_manifests() {
    let (manifest, _) = Manifest::load(&root().join("models/fer.yaml")).unwrap();
    let readme = text("README.md");
    assert!(!manifest.metrics.is_empty());
    for metrics in &manifest.metrics {
        let row = format!(
            "| {} | {} | {:.1} % | {:.3} | {:.4} |",
            metrics.split,
            metrics.images,
            100.0 * metrics.accuracy,
            metrics.macro_f1,
            metrics.ece
        );
        assert!(readme.contains(&row), "README.md lacks: {row}");
    }
}

#[test]
fn the_example_manifests_are_read() {
    for entry in std::fs::read_dir(root().join("models/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let origin = path.display().to_string();
            Manifest::from_yaml(&std::fs::read_to_string(&path).unwrap(), &origin).unwrap();
        }
    }
}

#[test]
fn the_security_page_names_code_that_is_there() {
    let page = text("SECURITY.md");
    let paths: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|code| code.ends_with(".rs")).collect();
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        assert!(root().join(path).is_file(), "SECURITY.md: there is no {path}");
    }
}

#[test]
fn the_security_page_names_all_unsafe_code() {
    let page = text("SECURITY.md");
    let mut found = 0;
    for crate_name in ["fer-core", "fer-backends", "gst-plugin-fer", "pipelines", "train"] {
        for entry in walkdir::WalkDir::new(root().join(crate_name).join("src")) {
            let path = entry.unwrap().into_path();
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            if is_test || path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            if std::fs::read_to_string(&path).unwrap().contains("unsafe {") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                assert!(page.contains(&format!("`{name}`")), "SECURITY.md does not name {name}");
                found += 1;
            }
        }
    }
    assert!(found >= 3, "{found}");
}
