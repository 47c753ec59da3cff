//! What is printed of an evaluation, in lines of up to 100 columns.

use std::fmt;

use super::{Both, Evaluation, FerPlus, Jitter, Kept};

/// Thresholds side by side.
const COLUMNS: usize = 10;

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        writeln!(f, "\nall {} images\n\n{}", self.whole.images, self.whole)?;
        match &self.without_twins {
            Some(others) => writeln!(
                f,
                "{} images, without the {} that are pixel-identical to a training image\n\n{}",
                others.images,
                self.whole.images - others.images,
                others.report()
            )?,
            None => writeln!(f, "every image is pixel-identical to a training image\n")?,
        }
        kept(f, &self.coverage.whole)?;
        if let Some(ferplus) = &self.ferplus {
            writeln!(f)?;
            votes(f, ferplus)?;
        }
        if let Some(jitter) = &self.jitter {
            writeln!(f)?;
            self.boxes(f, jitter)?;
        }
        if !self.degraded.is_empty() {
            writeln!(f)?;
            self.conditions(f)?;
        }
        Ok(())
    }
}

impl Evaluation {
    /// What was scored, on what and how, and its two foremost figures.
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures =
            format!("accuracy {:.4}, macro-F1 {:.4}", self.whole.accuracy, self.whole.macro_f1());
        let on = format!("{} {}", self.dataset, self.split);
        match &self.models[..] {
            [model] => {
                writeln!(f, "{} on {on}: {figures}", model.file)?;
                writeln!(f, "{}", model.calibration)?;
            }
            models => {
                writeln!(f, "ensemble of {} on {on}: {figures}", models.len())?;
                self.members(f)?;
            }
        }
        if let Some(Both { whole, without_twins }) = &self.uncalibrated {
            write!(f, "before it, at temperature 1: NLL {:.4}, ECE {:.4}", whole.nll, whole.ece)?;
            match without_twins {
                Some(others) => {
                    writeln!(f, "; without twins {:.4}, {:.4}", others.nll, others.ece)?;
                }
                None => writeln!(f)?,
            }
        }
        for model in self.strangers() {
            writeln!(
                f,
                "{} learnt from other data: perhaps from some of these images",
                model.file
            )?;
        }
        writeln!(f, "test-time augmentation: {}", self.tta)?;
        match self.logit_adjustment {
            None => writeln!(f, "logit adjustment: none"),
            Some(tau) => {
                writeln!(f, "logit adjustment: log p − {tau} · log training frequency, normalised")
            }
        }
    }

    /// A line for each member beside the ensemble's.
    fn members(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.models.iter().map(|model| model.file.chars().count());
        let width = names.max().unwrap_or(0).max("mean of softmax".len());
        writeln!(f, "\n{:<width$}{:>8}{:>10}{:>10}", "", "weight", "accuracy", "macro-F1")?;
        for model in &self.models {
            writeln!(
                f,
                "{:<width$}{:>8.3}{:>10.4}{:>10.4}  {}",
                model.file, model.weight, model.accuracy, model.macro_f1, model.calibration
            )?;
        }
        let (accuracy, macro_f1) = (self.whole.accuracy, self.whole.macro_f1());
        writeln!(f, "{:<width$}{:>8}{accuracy:>10.4}{macro_f1:>10.4}\n", "mean of softmax", "")
    }

    fn boxes(&self, f: &mut fmt::Formatter<'_>, jitter: &Jitter) -> fmt::Result {
        writeln!(
            f,
            "box jitter: each edge off by up to a part of the side, {} repetitions, seed {}",
            jitter.repetitions, jitter.seed
        )?;
        writeln!(f, "{:<14}{:>18}{:>18}", "", "accuracy", "macro-F1")?;
        let (accuracy, macro_f1) = (self.whole.accuracy, self.whole.macro_f1());
        writeln!(f, "{:<14}{accuracy:>9.4}{:>9}{macro_f1:>9.4}", "none", "")?;
        for level in &jitter.levels {
            let percent = format!("{:.0} %", level.jitter * 100.0);
            let (accuracy, macro_f1) = (level.accuracy.text(4), level.macro_f1.text(4));
            writeln!(f, "{percent:<14}{accuracy:>18}{macro_f1:>18}")?;
        }
        Ok(())
    }

    fn conditions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32}{:>10}{:>10}", "on degraded images", "accuracy", "macro-F1")?;
        let mut line = |name: &str, accuracy: f64, macro_f1: f64| {
            writeln!(f, "{name:<32}{accuracy:>10.4}{macro_f1:>10.4}")
        };
        line("as they are", self.whole.accuracy, self.whole.macro_f1())?;
        self.degraded.iter().try_for_each(|degraded| {
            line(&degraded.condition, degraded.accuracy, degraded.macro_f1)
        })
    }
}

fn kept(f: &mut fmt::Formatter<'_>, coverage: &[Kept]) -> fmt::Result {
    writeln!(f, "what is kept where answers below a probability are refused (all images)")?;
    for part in coverage.chunks(COLUMNS) {
        let line = |cell: &dyn Fn(&Kept) -> String| -> String {
            part.iter().map(|kept| format!("{:>7}", cell(kept))).collect()
        };
        writeln!(f, "{:<14}{}", "least", line(&|kept| format!("{:.2}", kept.threshold)))?;
        writeln!(f, "{:<14}{}", "coverage", line(&|kept| format!("{:.3}", kept.coverage)))?;
        let accuracy = |kept: &Kept| kept.accuracy.map_or("–".to_owned(), |a| format!("{a:.3}"));
        writeln!(f, "{:<14}{}", "accuracy", line(&accuracy))?;
    }
    Ok(())
}

fn votes(f: &mut fmt::Formatter<'_>, ferplus: &Both<FerPlus>) -> fmt::Result {
    writeln!(f, "against FER+ votes: the class that leads, and the distribution")?;
    writeln!(
        f,
        "{:<14}{:>8}{:>10}{:>10}{:>8}{:>15}",
        "", "images", "accuracy", "macro-F1", "voted", "cross-entropy"
    )?;
    let figure =
        |figure: Option<f64>| figure.map_or("–".to_owned(), |value| format!("{value:.4}"));
    let parts = [("all", Some(&ferplus.whole)), ("without twins", ferplus.without_twins.as_ref())];
    for (name, part) in parts.into_iter().filter_map(|(name, part)| Some((name, part?))) {
        let FerPlus { images, voted_images, .. } = part;
        let [accuracy, macro_f1, entropy] =
            [part.accuracy, part.macro_f1, part.cross_entropy].map(figure);
        writeln!(
            f,
            "{name:<14}{images:>8}{accuracy:>10}{macro_f1:>10}{voted_images:>8}{entropy:>15}"
        )?;
    }
    Ok(())
}
