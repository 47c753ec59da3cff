//! `fer-train join`.

use std::path::PathBuf;

use anyhow::ensure;
use fer_train::dataset::ImageShape;
use fer_train::export::{self, Figures, Member};

use super::export::{file_name, show_cost, write};
use super::read_data;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Networks that `export` wrote on floats, at least two: manifests (.yaml), or ONNX files with
    /// a manifest beside. They must see the same input and tell the same classes apart.
    #[arg(required = true, num_args = 2..)]
    networks: Vec<PathBuf>,
    /// The data set: its validation split calibrates the whole and checks it.
    #[arg(long)]
    data: PathBuf,
    /// The ONNX file to write; its manifest goes beside it with the extension .yaml.
    #[arg(long)]
    out: PathBuf,
    /// The whole's name.
    #[arg(long)]
    name: String,
    /// Write it on 8-bit numbers instead of floats, and show what that costs.
    #[arg(long)]
    as_int8: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(
        arguments.out.extension().is_some_and(|extension| extension == "onnx"),
        "--out is `{}`; expected a file name in .onnx",
        arguments.out.display()
    );
    let members =
        arguments.networks.iter().map(|path| Member::open(path)).collect::<Result<Vec<_>, _>>()?;
    let (first, path) = (&members[0], arguments.networks[0].display());
    let shape = first.manifest().shape();
    let (width, height, channels) = (shape.width, shape.height, shape.colour.channels());
    let dataset = read_data(&arguments.data, ImageShape { width, height, channels })?;
    let classes = first.classes();
    ensure!(
        dataset.classes == classes,
        "`{path}` tells {} apart; expected the data set's classes, {}",
        classes.names().join(", "),
        dataset.classes.names().join(", ")
    );
    let file = file_name(&arguments.out)?;
    let joined = export::join(&members, &dataset, file, &arguments.name)?;
    eprintln!(
        "logits within {:.1e} of the mean of {} networks; on 8-bit numbers within {:.1e}",
        joined.float.difference,
        members.len(),
        joined.int8.difference
    );
    if !arguments.as_int8 {
        return write(&joined.float, &arguments.out);
    }
    write(&joined.int8, &arguments.out)?;
    let measured =
        |exported| Figures::measured(exported, file, &dataset.validation, &dataset.classes);
    show_cost(&measured(&joined.float)?, &measured(&joined.int8)?)
}
