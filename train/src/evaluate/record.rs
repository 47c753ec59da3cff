//! Where figures are kept: JSON beside the model, its manifest, its card.

use std::path::{Path, PathBuf};

use fer_core::manifest::{self, Manifest};

use super::{EvaluateError, Evaluation, Tta};
use crate::metrics::Metrics;
use crate::run::{BEST, evaluation_file};

/// Where the figures called `name` go, beside the model: `fer.yaml` → `fer.PrivateTest.json`; but
/// a run's best checkpoint has them in the run's `evaluation.PrivateTest.json`.
pub fn json_path(model: &Path, name: &str) -> PathBuf {
    if model.file_name().is_some_and(|file| file == BEST) {
        return model.with_file_name(evaluation_file(name));
    }
    model.with_extension(format!("{name}.json"))
}

impl Evaluation {
    /// A name for files: the split, and what makes the figures other than the model's plain ones,
    /// as in `PrivateTest.flip`; on other data than a model learnt from, `PrivateTest.other-data`.
    pub fn file_name(&self) -> String {
        let mut name = self.split.clone();
        if self.strangers().next().is_some() {
            name += ".other-data";
        }
        if self.tta != Tta::None {
            name += &format!(".{}", self.tta.name());
        }
        if let Some(tau) = self.logit_adjustment {
            name += &format!(".adjusted-{tau}");
        }
        name
    }

    /// The figures as a manifest holds them, to four decimals: as they are printed.
    pub fn manifest_metrics(&self) -> Vec<manifest::Metrics> {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        let entry = |split: String, figures: &Metrics| manifest::Metrics {
            dataset: self.dataset.clone(),
            split,
            images: figures.images,
            accuracy: round(figures.accuracy),
            macro_f1: round(figures.macro_f1()),
            ece: round(figures.ece),
        };
        let mut entries = vec![entry(self.split.clone(), &self.whole)];
        if let Some(others) = &self.without_twins {
            entries.push(entry(self.without_twins_name(), others));
        }
        entries
    }

    fn without_twins_name(&self) -> String {
        format!("{} without twins in Training", self.split)
    }

    /// A model card's text with the printed figures in the place that is marked for the split:
    /// between the lines `<!-- evaluate SPLIT -->` and `<!-- end SPLIT -->`.
    ///
    /// # Errors
    ///
    /// [`EvaluateError::Card`] where the marks are missing.
    pub fn put_into_card(&self, card: &str) -> Result<String, EvaluateError> {
        if card.contains("\r\n") {
            // As editors on Windows write it; it stays so.
            let written = self.put_into_card(&card.replace("\r\n", "\n"))?;
            return Ok(written.replace('\n', "\r\n"));
        }
        let begin = format!("<!-- evaluate {} -->\n", self.split);
        let end = format!("<!-- end {} -->\n", self.split);
        let marked = card
            .split_once(&begin)
            .and_then(|(before, rest)| rest.split_once(&end).map(|(_, after)| (before, after)));
        let Some((before, after)) = marked else {
            return Err(EvaluateError::Card { begin, end });
        };
        Ok(format!("{before}{begin}\n```text\n{self}```\n\n{end}{after}"))
    }

    /// Puts the figures into a manifest, in the place of older ones of the same split.
    ///
    /// # Errors
    ///
    /// [`EvaluateError::NotPlain`]: a manifest has no place to say so.
    pub fn put_into(&self, manifest: &mut Manifest) -> Result<(), EvaluateError> {
        if self.tta != Tta::None || self.logit_adjustment.is_some() {
            return Err(EvaluateError::NotPlain);
        }
        if self.without_twins.is_none() {
            let name = self.without_twins_name();
            manifest.metrics.retain(|old| old.dataset != self.dataset || old.split != name);
        }
        for entry in self.manifest_metrics() {
            let same = |old: &&mut manifest::Metrics| {
                old.dataset == entry.dataset && old.split == entry.split
            };
            match manifest.metrics.iter_mut().find(same) {
                Some(old) => *old = entry,
                None => manifest.metrics.push(entry),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_go_beside_the_model() {
        for (model, path) in [
            ("models/fer.yaml", "models/fer.PrivateTest.json"),
            ("a.safetensors", "a.PrivateTest.json"),
            ("runs/small/best.safetensors", "runs/small/evaluation.PrivateTest.json"),
        ] {
            assert_eq!(json_path(Path::new(model), "PrivateTest"), Path::new(path));
        }
    }
}
