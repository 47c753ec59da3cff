//! Guards against drift between documents and code.

use fer_core::manifest::Manifest;
use gst::prelude::*;

use crate::support::{init, root};

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_readme_names_every_property() {
    init();
    let readme = text("README.md");
    for name in ["ferdetect", "feroverlay", "ferjson"] {
        let element = gst::ElementFactory::make(name).build().unwrap();
        for property in element.list_properties() {
            if ["name", "parent", "qos"].contains(&property.name()) {
                continue;
            }
            let row = format!("| `{}` |", property.name());
            assert!(readme.contains(&row), "{name}: {row} is not in README.md");
        }
    }
}

#[test]
fn what_may_be_chosen_is_named_where_users_read_of_it() {
    let (readme, example) = (text("README.md"), text("pipelines/webcam.yaml"));
    for property in ["detector", "detector-profile", "tracker", "smoothing"] {
        let row = format!("| `{property}` |");
        let row = readme.lines().find(|line| line.starts_with(&row)).unwrap();
        let before = example.find(&format!("      {property}: ")).unwrap();
        let comment = example[..before].rsplit("\n      ").take_while(|line| line.starts_with('#'));
        let comment: String = comment.collect();
        for name in gstfer::ferdetect::names(property).unwrap() {
            assert!(row.contains(&format!("`{name}`")), "{name} is not in README.md: {row}");
            assert!(comment.contains(name), "{name} is not in webcam.yaml: {comment}");
        }
    }
}

#[test]
fn each_module_has_its_place_in_the_code_map() {
    let map = text("ARCHITECTURE.md");
    for source in ["fer-core/src", "fer-backends/src", "gst-plugin-fer/src", "pipelines/src"] {
        for entry in std::fs::read_dir(root().join(source)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_named =
                map.contains(&format!("`{name}`")) || map.contains(&format!("`{name}/`"));
            assert!(is_named || ["lib", "main"].contains(&name), "{}", path.display());
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
