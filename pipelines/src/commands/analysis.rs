//! The options that say how video is analysed and annotated.

use anyhow::Result;
use pipelines::batch::Settings;
use pipelines::config::{Overlay, PipelineFile};
use serde_json::{Map, Value};

/// A file in which options become settings of the analysis, checked as in any other.
const FILE: &str = "{ version: 1, streams: { video: { source: { test: {} } } } }";

#[derive(Debug, clap::Args)]
pub(crate) struct Analysis {
    /// Set a property of the analysis, for instance `min-face=0.05` or `labels-language=ru`;
    /// `gst-inspect-1.0 ferdetect` lists them.
    #[arg(long = "set", value_name = "PROPERTY=VALUE")]
    sets: Vec<String>,
    /// What is done to faces in the video.
    #[arg(long, default_value = "draw", value_parser = ["draw", "blur", "pixelate", "none"])]
    overlay: String,
}

impl Analysis {
    /// The properties of some changes `PROPERTY=VALUE`.
    pub(crate) fn of(sets: &[String]) -> Result<Map<String, Value>> {
        let sets: Vec<String> = sets.iter().map(|set| format!("defaults.analysis.{set}")).collect();
        let file = PipelineFile::parse(FILE, &sets, &|_| None).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        })?;
        Ok(file.defaults.analysis)
    }

    /// Whoever wants faces hidden and gets no video has been misunderstood.
    pub(crate) fn needs_video(&self, is_made: bool, how: &str) -> Result<()> {
        if !is_made && ["blur", "pixelate"].contains(&self.overlay.as_str()) {
            anyhow::bail!(
                "--overlay {} is done to videos, and none is made; expected {how}, or no --overlay",
                self.overlay
            );
        }
        Ok(())
    }

    pub(crate) fn settings(&self) -> Result<Settings> {
        let overlay = match self.overlay.as_str() {
            "blur" => Overlay::Blur,
            "pixelate" => Overlay::Pixelate,
            "none" => Overlay::None,
            _ => Overlay::Draw,
        };
        Ok(Settings { analysis: Self::of(&self.sets)?, overlay })
    }
}
