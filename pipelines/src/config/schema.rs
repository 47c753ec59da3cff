//! The JSON Schema of pipeline files: made from the types that hold them, so that it cannot say
//! anything else.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::PipelineFile;

/// The schema, without references, for validators and editors.
pub fn json_schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<PipelineFile>().to_value();
    if let Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), json!("gst-plugin-fer pipeline file, version 1"));
    }
    schema
}
