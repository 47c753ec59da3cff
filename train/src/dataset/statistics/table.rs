//! [`Statistics`] as text.

use std::fmt;

use super::{Member, SplitStatistics, Statistics};

/// Groups with conflicting labels that are shown; all are in the JSON.
const SHOWN: usize = 5;
/// Images that are shown of such a group.
const SHOWN_MEMBERS: usize = 4;

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [width, height, channels] = self.shape;
        let colour = if channels == 3 { "colour" } else { "grey" };
        writeln!(
            f,
            "{}: {} images of {} classes, read at {width}×{height} {colour}",
            self.data,
            self.images,
            self.classes.len()
        )?;
        for remark in &self.remarks {
            writeln!(f, "{remark}")?;
        }
        if let Some(sizes) = self.file_sizes {
            let ([w0, w1, w2], [h0, h1, h2]) = (sizes.width, sizes.height);
            writeln!(f, "files: {w0} / {w1} / {w2} pixels across, {h0} / {h1} / {h2} down")?;
            writeln!(f, "       (smallest / median / largest)")?;
        }
        writeln!(f)?;
        self.table(f)?;
        if self.splits.iter().any(|split| split.agreement.is_some()) {
            writeln!(f, "class votes: those that name one of the {} classes", self.classes.len())?;
        }
        writeln!(
            f,
            "\n{} distinct images, {} groups of identical ones, {} constant images",
            self.distinct, self.duplicate_groups, self.constant
        )?;
        self.conflicts(f)
    }
}

impl Statistics {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: fn(&SplitStatistics) -> usize| {
            self.splits.each_ref().map(|split| count(split).to_string())
        };
        let figure = |figure: fn(&SplitStatistics) -> Option<String>| {
            self.splits.each_ref().map(|split| figure(split).unwrap_or_else(|| "–".to_owned()))
        };
        let mut rows = vec![("", self.splits.each_ref().map(|split| split.name.to_owned()))];
        for (class, name) in self.classes.iter().enumerate() {
            let counts = self.splits.each_ref().map(|split| split.class_counts[class].to_string());
            rows.push((name, counts));
        }
        rows.extend([
            ("all", count(|split| split.images)),
            ("largest ÷ smallest class", figure(|s| s.imbalance.map(|x| format!("{x:.2}")))),
            ("repeated in the split", count(|split| split.repeated)),
            ("with a twin in training", figure(|s| s.twins_in_training.map(|x| x.to_string()))),
            ("with a twin in validation or test", count(|split| split.twins_in_evaluation)),
            ("constant", count(|split| split.constant)),
        ]);
        if self.splits.iter().any(|split| split.agreement.is_some()) {
            rows.push(("majority of class votes = label", figure(|s| percent(s.agreement?.agree))));
            let none = figure(|s| percent(s.agreement?.without_majority));
            rows.push(("no majority of class votes", none));
        }
        let first = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, [a, b, c]) in rows {
            writeln!(f, "{name:<first$} {a:>11} {b:>11} {c:>11}")?;
        }
        Ok(())
    }

    fn conflicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.conflicts.is_empty() {
            return writeln!(f, "no identical images have conflicting labels");
        }
        let count = self.conflicts.len();
        writeln!(f, "{count} of the groups have conflicting labels:")?;
        for group in self.conflicts.iter().take(SHOWN) {
            let members: Vec<String> =
                group.iter().take(SHOWN_MEMBERS).map(Member::to_string).collect();
            write!(f, "  {}", members.join(", "))?;
            match group.len().saturating_sub(SHOWN_MEMBERS) {
                0 => writeln!(f)?,
                more => writeln!(f, " and {more} more")?,
            }
        }
        if count > SHOWN {
            writeln!(f, "  and {} more; --json FILE has them all", count - SHOWN)?;
        }
        Ok(())
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place} ({})", self.class),
            None => write!(f, "{} {} ({})", self.split, self.index, self.class),
        }
    }
}

fn percent(share: f64) -> Option<String> {
    share.is_finite().then(|| format!("{:.1} %", 100.0 * share))
}
