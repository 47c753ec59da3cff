//! A pipeline file as a whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::analysis::analysis_schema;
use super::{Output, Source};

/// A stream's name.
const NAME: &str = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$";

/// A pipeline file: streams under names of their own, each with a source, settings of its analysis
/// and any number of outputs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PipelineFile {
    /// The version of the language: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// What streams share.
    #[serde(default)]
    pub defaults: Defaults,
    /// What is analysed; a stream's name is `stream_id` in the metadata and part of file names.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": NAME }))]
    pub streams: BTreeMap<String, Stream>,
}

/// What streams share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Defaults {
    /// Settings of the analysis that a stream does not set itself.
    #[schemars(schema_with = "analysis_schema")]
    pub analysis: Map<String, Value>,
    /// The outputs of streams without any of their own.
    pub outputs: Vec<Output>,
}

/// One stream. Streams live and die alone.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stream {
    /// Where the video comes from.
    pub source: Source,
    /// How the video is analysed: properties of the element `ferdetect`, under the same names.
    #[serde(default)]
    #[schemars(schema_with = "analysis_schema")]
    pub analysis: Map<String, Value>,
    /// What is made of it.
    #[serde(default)]
    pub outputs: Vec<Output>,
}

impl PipelineFile {
    /// Gives every stream what it leaves to the defaults.
    pub(super) fn share_defaults(&mut self) {
        let Self { defaults, streams, .. } = self;
        for stream in streams.values_mut() {
            for (key, value) in &defaults.analysis {
                stream.analysis.entry(key.clone()).or_insert_with(|| value.clone());
            }
            if stream.outputs.is_empty() {
                stream.outputs.clone_from(&defaults.outputs);
            }
        }
    }
}
