//! The schema of `analysis`: the properties that `ferdetect` itself says it has.

use gst::glib;
use gst::prelude::*;
use gstfer::ferdetect::{self, FerDetect};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Set by the stream's name and its outputs.
const TAKEN: [&str; 3] = ["stream-id", "draw", "save-faces"];

/// An object with the properties of `ferdetect` that a user may set.
pub(super) fn analysis_schema(_: &mut SchemaGenerator) -> Schema {
    let properties: Map<String, Value> =
        settings().map(|property| (property.name().to_owned(), schema(&property))).collect();
    let schema = json!({
        "description": "properties of the element ferdetect, under the same names",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    Schema::try_from(schema).unwrap_or_default()
}

/// The properties of `ferdetect` that `analysis` may set.
fn settings() -> impl Iterator<Item = glib::ParamSpec> {
    let class = glib::Class::<glib::Object>::from_type(FerDetect::static_type());
    let all = class.map(|class| class.list_properties().to_vec()).unwrap_or_default();
    all.into_iter().filter(|property| {
        property.owner_type() == FerDetect::static_type()
            && property.flags().contains(glib::ParamFlags::WRITABLE)
            && !TAKEN.contains(&property.name())
    })
}

fn schema(property: &glib::ParamSpec) -> Value {
    let mut schema = Map::new();
    let mut add = |key: &str, value: Value| schema.insert(key.to_owned(), value);
    if let Some(blurb) = property.blurb() {
        add("description", json!(blurb));
    }
    if let Some(names) = ferdetect::names(property.name()) {
        add("enum", json!(names));
    } else if let Some(number) = property.downcast_ref::<glib::ParamSpecUInt>() {
        add("type", json!("integer"));
        add("minimum", json!(number.minimum()));
        add("maximum", json!(number.maximum()));
        add("default", json!(number.default_value()));
    } else if let Some(number) = property.downcast_ref::<glib::ParamSpecDouble>() {
        add("type", json!("number"));
        add("minimum", json!(number.minimum()));
        add("maximum", json!(number.maximum()));
        add("default", json!(number.default_value()));
    } else if let Some(choice) = property.downcast_ref::<glib::ParamSpecEnum>() {
        let names: Vec<&str> = choice.enum_class().values().iter().map(|v| v.nick()).collect();
        add("enum", json!(names));
    } else if property.value_type() == glib::Type::BOOL {
        add("type", json!("boolean"));
    } else {
        add("type", json!("string"));
    }
    Value::Object(schema)
}
