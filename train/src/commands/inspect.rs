//! `fer-train inspect`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fer_train::dataset::statistics::Statistics;
use fer_train::dataset::{Dataset, ImageShape, Split};
use fer_train::{chart, picture};

use super::outputs::refuse_in_data;
use super::speech::{print, tell};
use super::{write_file, write_json};

/// Images of each class in the sample picture.
const COLUMNS: usize = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// FER2013's CSV (plain, gzip or zstd), or a folder of labelled images.
    data: PathBuf,
    /// A folder for pictures: samples.png (a row a class), classes.svg and classes.png.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Width and height in pixels that a folder's images are read and compared at.
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u16).range(1..=1024))]
    size: u16,
    /// Read a folder's images in colour.
    #[arg(long)]
    rgb: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let outputs = [("--out", arguments.out.as_deref()), ("--json", arguments.json.as_deref())];
    refuse_in_data(&arguments.data, &outputs)?;
    let channels = if arguments.rgb { 3 } else { 1 };
    let shape = ImageShape { channels, ..ImageShape::grey(arguments.size.into()) };
    let dataset = Dataset::read(&arguments.data, shape)?;
    let statistics = Statistics::of(&dataset);
    print(&statistics.to_string())?;
    if let Some(path) = &arguments.json {
        write_json(path, &statistics)?;
    }
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        write_samples(&dataset, &folder.join("samples.png"))?;
        write_histogram(&statistics, folder)?;
    }
    Ok(())
}

/// A row a class: images of the training split (of a data set without one, of the first split
/// that has any), spread evenly over it.
fn write_samples(dataset: &Dataset, path: &Path) -> anyhow::Result<()> {
    let filled = |&split: &Split| !dataset.images(split).is_empty();
    let split = Split::ALL.into_iter().find(filled).unwrap_or(Split::Training);
    let images = dataset.images(split);
    let mut tiles = Vec::new();
    for class in 0..dataset.classes.len() {
        let of_class: Vec<&[u8]> =
            images.iter().filter(|&(_, label)| label == class).map(|(pixels, _)| pixels).collect();
        let shown = of_class.len().min(COLUMNS);
        tiles.extend((0..shown).map(|column| of_class[column * of_class.len() / shown]));
        // Empty tiles, so that the next class starts a row.
        tiles.resize((class + 1) * COLUMNS, &[]);
    }
    write_file(path, &picture::grid(&tiles, images.shape(), COLUMNS)?)?;
    tell(&format!(
        "{}: {} images, from top to bottom {}",
        path.display(),
        dataset.split_name(split),
        dataset.classes.names().join(", ")
    ));
    Ok(())
}

/// Images of each class in each split that has any.
fn write_histogram(statistics: &Statistics, folder: &Path) -> anyhow::Result<()> {
    let series: Vec<(String, Vec<f64>)> = statistics
        .splits
        .iter()
        .filter(|split| split.images > 0)
        .map(|split| {
            let counts = split.class_counts.iter().map(|&count| count as f64).collect();
            (split.name.to_owned(), counts)
        })
        .collect();
    let title = format!("{}: images of each class", statistics.data);
    let svg = chart::bars(&title, &statistics.classes, &series)?;
    write_file(&folder.join("classes.svg"), svg.as_bytes())?;
    write_file(&folder.join("classes.png"), &chart::png(&svg)?)
}
