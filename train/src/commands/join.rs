//! `fer-train join`.

use std::path::PathBuf;

use fer_train::dataset::ImageShape;
use fer_train::export::{self, Figures, Member};

use super::export::{calibration, file_name, show_cost, words, write};
use super::outputs::{refuse_foreign_manifest, refuse_in_data, refuse_input};
use super::speech::tell;
use super::{read_data, refuse_checkpoint};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Networks that `export` wrote on floats, at least two: manifests (.yaml), or ONNX files with
    /// a manifest beside. Their manifests must say the same of input, labels, prior and licence.
    #[arg(required = true, num_args = 2..)]
    networks: Vec<PathBuf>,
    /// The data set: its validation split calibrates the whole and checks it.
    #[arg(long)]
    data: PathBuf,
    /// The ONNX file to write; its manifest goes beside it with the extension .yaml.
    #[arg(long)]
    out: PathBuf,
    /// The whole's name.
    #[arg(long, value_parser = words)]
    name: String,
    /// Write it on 8-bit numbers instead of floats, and show what that costs.
    #[arg(long)]
    as_int8: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = file_name(&arguments.out)?;
    refuse_in_data(&arguments.data, &[("--out", Some(&arguments.out))])?;
    refuse_foreign_manifest(&arguments.out)?;
    arguments.networks.iter().try_for_each(|path| refuse_checkpoint(path))?;
    let members =
        arguments.networks.iter().map(|path| Member::open(path)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<PathBuf> = members.iter().flat_map(Member::files).collect();
    for out in [arguments.out.clone(), arguments.out.with_extension("yaml")] {
        refuse_input(&out, files.iter().map(PathBuf::as_path))?;
    }
    let shape = members[0].manifest().shape();
    let (width, height, channels) = (shape.width, shape.height, shape.colour.channels());
    let dataset = read_data(&arguments.data, ImageShape { width, height, channels })?;
    let calibration = if arguments.as_int8 { Some(calibration(&dataset)?) } else { None };
    let joined = export::join(&members, &dataset, file, &arguments.name, calibration.as_ref())?;
    let told = |difference: f32| {
        tell(&format!("logits within {difference:.1e} of the mean of {} networks", members.len()));
    };
    let Some(int8) = joined.int8 else {
        told(joined.float.difference);
        return write(&joined.float, &arguments.out);
    };
    told(int8.difference);
    write(&int8, &arguments.out)?;
    let measured =
        |exported| Figures::measured(exported, file, &dataset.validation, &dataset.classes);
    show_cost(&measured(&joined.float)?, &measured(&int8)?)
}
