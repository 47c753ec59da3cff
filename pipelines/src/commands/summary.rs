//! What a run was about, as a short table.

use std::collections::BTreeMap;
use std::time::Duration;

/// Gathers `ferdetect`'s messages and statistics.
#[derive(Default)]
pub(crate) struct Summary {
    faces: BTreeMap<u64, Vec<(u64, String)>>,
}

impl Summary {
    /// Takes one bus message's structure.
    pub(crate) fn take(&mut self, structure: &gst::StructureRef) {
        let (Ok(event), Ok(id)) = (structure.get::<&str>("event"), structure.get::<u64>("id"))
        else {
            return;
        };
        let labels = self.faces.entry(id).or_default();
        if event == "emotion-changed"
            && let (Ok(to), Ok(time)) = (structure.get("to"), structure.get("time"))
        {
            labels.push((time, to));
        }
    }

    /// The table.
    pub(crate) fn table(&self, stats: &gst::StructureRef, wall: Duration) -> String {
        let count = |name: &str| stats.get::<u64>(name).unwrap_or(0);
        let each = |sum: &str, counts: &[&str]| {
            let n: u64 = counts.iter().map(|name| count(name)).sum();
            let millis = stats.get::<f64>(sum).unwrap_or(0.0);
            if n == 0 { "–".to_owned() } else { format!("{:.2} ms × {n}", millis / n as f64) }
        };
        let frames = count("frames");
        let rate = frames as f64 / wall.as_secs_f64().max(1e-9);
        let rows = [
            ("frames", frames.to_string()),
            ("faces", self.faces.len().to_string()),
            ("frames/s", format!("{rate:.1}")),
            ("look for faces", each("detect-ms", &["scans", "searches-near"])),
            ("classify", each("classify-ms", &["classifications"])),
            ("errors", count("errors").to_string()),
        ];
        let mut table = String::new();
        for (name, value) in rows {
            table.push_str(&format!("  {name:<15} {value}\n"));
        }
        for (id, labels) in &self.faces {
            let labels: Vec<String> = labels
                .iter()
                .map(|(time, label)| format!("{label} from {:.2} s", *time as f64 / 1e9))
                .collect();
            let labels = if labels.is_empty() { "uncertain".to_owned() } else { labels.join(", ") };
            table.push_str(&format!("  face {id:<10} {labels}\n"));
        }
        table
    }
}
