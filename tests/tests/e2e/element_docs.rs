//! `docs/elements.md` is made from the elements themselves. `FER_WRITE_DOCS=1` makes it anew.

use std::fmt::Write;

use gst::glib;
use gst::prelude::*;

use crate::support::{init, root};

const HEAD: &str = "# Elements\n\nGenerated from the elements by `FER_WRITE_DOCS=1 cargo nextest run \
                    -p fer-tests element_docs`; a test compares. `gst-inspect-1.0 NAME` shows the same. \
                    Which properties to change for which purpose: [tuning.md](tuning.md).\n";

#[test]
fn the_elements_page_is_what_the_elements_say() {
    init();
    let mut page = HEAD.to_owned();
    for name in ["ferdetect", "feroverlay", "ferjson"] {
        write_element(&mut page, name).unwrap();
    }
    let path = root().join("docs/elements.md");
    if std::env::var_os("FER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = there.lines().zip(page.lines()).find(|(there, here)| there != here);
    assert!(
        there == page,
        "docs/elements.md is not what the elements say: FER_WRITE_DOCS=1 makes it anew: {differing:?}"
    );
}

fn write_element(page: &mut String, name: &str) -> std::fmt::Result {
    let element = gst::ElementFactory::make(name).build().unwrap();
    let factory = element.factory().unwrap();
    let told = |key| factory.metadata(key).unwrap_or_default().to_owned();
    writeln!(page, "\n## {name}\n\n{}. {}.\n", told("long-name"), told("description"))?;
    writeln!(page, "- Class: `{}`, rank: none", told("klass"))?;
    for template in factory.static_pad_templates() {
        let direction = match template.direction() {
            gst::PadDirection::Sink => "Takes",
            _ => "Gives",
        };
        let caps: Vec<String> = template.caps().iter().map(media).collect();
        writeln!(page, "- {direction} at `{}`: {}", template.name_template(), caps.join("; "))?;
    }
    writeln!(page, "\n| property | type | default | may be set | |\n|---|---|---|---|---|")?;
    for property in element.list_properties() {
        // Those of every element and of every transform are documented there.
        if property.owner_type() == element.type_() {
            write_property(page, &element, &property)?;
        }
    }
    Ok(())
}

/// A structure of caps in words: its name, formats, and ranges of sizes.
fn media(structure: &gst::StructureRef) -> String {
    let mut text = format!("`{}`", structure.name());
    if let Ok(formats) = structure.get::<gst::List>("format") {
        let names: Vec<&str> = formats.iter().filter_map(|name| name.get().ok()).collect();
        let _ = write!(text, " in {}", names.join(", "));
    }
    if let Ok(sides) = structure.get::<gst::IntRange<i32>>("width") {
        let _ = write!(text, ", {} to {} pixels a side", sides.min(), sides.max());
    }
    text
}

fn write_property(
    page: &mut String,
    element: &gst::Element,
    property: &glib::ParamSpec,
) -> std::fmt::Result {
    let flags = property.flags();
    let when = if !flags.contains(glib::ParamFlags::WRITABLE) {
        "never"
    } else if flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING) {
        "at any time"
    } else {
        "before it starts"
    };
    let blurb = property.blurb().unwrap_or_default().replace('|', "\\|");
    let kind = kind(property);
    let default = default(property, element);
    writeln!(page, "| `{}` | {kind} | {default} | {when} | {blurb} |", property.name())
}

/// A type and its range, or the values of an enumeration.
fn kind(property: &glib::ParamSpec) -> String {
    if let Some(values) = glib::EnumClass::with_type(property.value_type()) {
        let nicks: Vec<String> =
            values.values().iter().map(|value| format!("`{}`", value.nick())).collect();
        return nicks.join(", ");
    }
    if let Some(range) = property.downcast_ref::<glib::ParamSpecUInt>() {
        return match range.maximum() {
            u32::MAX => format!("integer from {}", range.minimum()),
            most => format!("integer, {} to {most}", range.minimum()),
        };
    }
    if let Some(range) = property.downcast_ref::<glib::ParamSpecDouble>() {
        return format!("number, {} to {}", range.minimum(), range.maximum());
    }
    if let Some(range) = property.downcast_ref::<glib::ParamSpecFloat>() {
        return format!("number, {} to {}", range.minimum(), range.maximum());
    }
    match property.value_type().name() {
        "gboolean" => "boolean".to_owned(),
        "gchararray" => "text".to_owned(),
        other => format!("`{other}`"),
    }
}

fn default(property: &glib::ParamSpec, element: &gst::Element) -> String {
    if !property.flags().contains(glib::ParamFlags::WRITABLE) {
        return "–".to_owned();
    }
    // A new element has its defaults.
    let value = element.property_value(property.name());
    let text = match value.get::<f64>() {
        // Decimals were single-precision numbers once.
        Ok(number) => (number as f32).to_string(),
        Err(_) => value.serialize().map_or(String::new(), |text| text.to_string()),
    };
    if ["", "NULL", "\"\""].contains(&text.as_str()) {
        "–".to_owned()
    } else {
        format!("`{text}`")
    }
}
