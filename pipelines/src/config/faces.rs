//! Pictures of faces.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Amount, Span};

/// A picture of a face whenever its stable emotion changes, cut out of that very frame. Nobody is
/// made unrecognisable in it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Faces {
    /// Where the pictures go; `{stream}` is the stream's name.
    #[schemars(length(min = 1))]
    pub folder: String,
    /// What the folders in it are made by.
    #[serde(default)]
    pub folders: Folders,
    /// What the pictures are written as.
    #[serde(default)]
    pub format: PictureFormat,
    /// What is kept around a face on each side, as a fraction of its size.
    #[serde(default = "margin")]
    #[schemars(range(min = 0, max = 2))]
    pub margin: f32,
    /// How much is kept; everything, if not given.
    #[serde(default)]
    pub keep: Keep,
}

/// What folders are made by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Folders {
    /// One for each emotion that a face changed to.
    #[default]
    Emotion,
    /// One for each face, as long as it is followed.
    Track,
    /// None: all pictures lie side by side.
    None,
}

/// What pictures are written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PictureFormat {
    /// Exact, and larger.
    #[default]
    Png,
    /// Small.
    Jpeg,
}

/// How much is kept. What is beyond a limit is deleted, the oldest first: pictures that this
/// output wrote, earlier runs of it included, and no other files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Keep {
    /// How many pictures.
    #[schemars(range(min = 1))]
    pub files: Option<usize>,
    /// Size of all pictures together, in bytes or with k, M or G, as in 500M; the newest one is kept in any
    /// case.
    pub size: Option<Amount>,
    /// For how long, in s, min, h or d, as in 30d.
    pub age: Option<Span>,
}

fn margin() -> f32 {
    0.2
}

impl PictureFormat {
    /// The ending of a file's name, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }
}
