//! Expression classifiers in ONNX files.
//!
//! Any network whose input is `[n, channels, height, width]` and whose output is `[n, labels]`,
//! both `f32`, runs: a [`Manifest`] says the rest. The first dimension may be fixed to 1; such a
//! network is run once a face. Classifiers of one model share what runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fer_core::classify::{self, EmotionClassifier};
use fer_core::detect::BackendError;
use fer_core::manifest::Manifest;
use ort::session::Session;
use ort::value::TensorRef;

use crate::batch::{self, Batched};
use crate::pool::Pool;
pub use crate::session::{ExecutionProvider, Options};
use crate::session::{dimensions, shown};

/// A network with its manifest, ready to run.
#[derive(Debug)]
pub struct OnnxClassifier {
    manifest: Manifest,
    /// Shared by all classifiers of the same model.
    sessions: Arc<Pool>,
    /// The network's first dimension is fixed to 1, or one thread of a CPU runs it: there a batch of
    /// eight took a quarter longer than eight faces one after the other (`cargo bench`).
    one_by_one: bool,
}

impl OnnxClassifier {
    /// Loads a manifest and the ONNX file that it names.
    ///
    /// `path` may also be the ONNX file if its manifest lies beside it under the same name with
    /// `.yaml`.
    ///
    /// # Errors
    /// A file is missing, unreadable or damaged, the checksum or a tensor disagrees with the
    /// manifest, or ONNX Runtime or the execution provider isn't there.
    pub fn load(path: &Path, options: &Options) -> Result<Self, BackendError> {
        let manifest_path = manifest_path(path)?;
        let (manifest, model) = Manifest::load(&manifest_path)
            .map_err(|error| BackendError::Load(error.to_string()))?;
        if !manifest.has_emotions() {
            return Err(BackendError::Load(format!(
                "{}: it tells faces from other things (output.labels: {}), a classifier of \
                 emotions is needed",
                manifest_path.display(),
                manifest.output.labels.join(", ")
            )));
        }
        let folder = manifest_path.parent().unwrap_or(Path::new(""));
        let origin = folder.join(&manifest.file).display().to_string();
        Self::new(manifest, &model, &origin, options)
    }

    /// Takes a model that is in memory already; `origin` names it in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_memory(
        manifest: Manifest,
        model: &[u8],
        origin: &str,
        options: &Options,
    ) -> Result<Self, BackendError> {
        manifest.verify(model, origin).map_err(|error| BackendError::Load(error.to_string()))?;
        Self::new(manifest, model, origin, options)
    }

    fn new(
        manifest: Manifest,
        model: &[u8],
        origin: &str,
        options: &Options,
    ) -> Result<Self, BackendError> {
        let sessions = Pool::of(model, origin, options)?;
        let fixed = sessions.with(|session| {
            let fixed = check_input(&manifest, session, origin)?;
            check_output(&manifest, session, origin).map(|()| fixed)
        })??;
        let one_by_one = fixed
            || (options.execution_provider == ExecutionProvider::Cpu && options.intra_threads == 1);
        let mut classifier = Self { manifest, sessions, one_by_one };
        classifier.rehearse(origin)?;
        Ok(classifier)
    }

    /// Runs its faces together with those of all other streams that do so with the same model, manifest
    /// and options, where a batch is quicker than its faces one after the other.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn among_streams(self) -> Result<Box<dyn EmotionClassifier>, BackendError> {
        if self.one_by_one {
            return Ok(Box::new(self));
        }
        let key = format!("{:?}, {:?}", self.manifest, self.sessions.options());
        Ok(Box::new(Batched::join(&key, self, batch::Options::default())?))
    }

    /// One run on zeros: finds what the declared shapes leave open, and makes the runtime allocate
    /// now and not on the first frame.
    fn rehearse(&mut self, origin: &str) -> Result<(), BackendError> {
        let zeros = vec![0.0; self.manifest.shape().len()];
        self.run(&zeros, 1).map(drop).map_err(|error| {
            BackendError::Load(format!("{origin}: a first run of the model failed: {error}"))
        })
    }

    fn run_once(
        &self,
        batch: &[f32],
        faces: usize,
        output: &mut Vec<f32>,
    ) -> Result<(), BackendError> {
        self.sessions.with(|session| self.run_in(session, batch, faces, output))?
    }

    fn run_in(
        &self,
        session: &mut Session,
        batch: &[f32],
        faces: usize,
        output: &mut Vec<f32>,
    ) -> Result<(), BackendError> {
        let manifest = &self.manifest;
        let shape = manifest.shape();
        let dimensions = [faces, shape.colour.channels(), shape.height, shape.width];
        let failed = |error: ort::Error| {
            BackendError::Run(format!("model {} failed: {error}", manifest.name))
        };
        let tensor = TensorRef::from_array_view((dimensions, batch)).map_err(failed)?;
        let outputs =
            session.run(ort::inputs![manifest.input.tensor.as_str() => tensor]).map_err(failed)?;
        let (shape, values) =
            outputs[manifest.output.tensor.as_str()].try_extract_tensor::<f32>().map_err(failed)?;
        let labels = manifest.output.labels.len();
        if values.len() != faces * labels {
            return Err(BackendError::Run(format!(
                "model {} gave {} for {faces} faces, but the manifest's output.labels has {labels} \
                 names",
                manifest.name,
                shown(shape)
            )));
        }
        output.extend_from_slice(values);
        Ok(())
    }
}

impl EmotionClassifier for OnnxClassifier {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn run(&mut self, batch: &[f32], faces: usize) -> Result<Vec<f32>, BackendError> {
        classify::check_input(&self.manifest, batch, faces)?;
        let mut output = Vec::with_capacity(faces * self.manifest.output.labels.len());
        if self.one_by_one {
            for face in batch.chunks_exact(self.manifest.shape().len()) {
                self.run_once(face, 1, &mut output)?;
            }
        } else if faces > 0 {
            self.run_once(batch, faces, &mut output)?;
        }
        Ok(output)
    }
}

/// The manifest that belongs to `path`.
fn manifest_path(path: &Path) -> Result<PathBuf, BackendError> {
    if path.extension().is_none_or(|extension| extension != "onnx") {
        return Ok(path.to_owned());
    }
    let manifest = path.with_extension("yaml");
    if manifest.is_file() {
        return Ok(manifest);
    }
    Err(BackendError::Load(if path.is_file() {
        format!(
            "{}: a model needs a manifest that says what its tensors mean, expected at {}; \
             models/examples has some to copy from",
            path.display(),
            manifest.display()
        )
    } else {
        format!("{}: no such file", path.display())
    }))
}

/// Compares the model's input with the manifest; returns whether the batch is fixed to 1.
fn check_input(manifest: &Manifest, session: &Session, origin: &str) -> Result<bool, BackendError> {
    let name = &manifest.input.tensor;
    let found = dimensions(session.inputs(), name, "the manifest's input.tensor", origin)?;
    let refuse = |problem: String| {
        Err(BackendError::Load(format!("{origin}: {problem}; input {name:?} is {}", shown(found))))
    };
    if session.inputs().len() > 1 {
        return refuse(format!("the model has {} inputs, 1 is needed", session.inputs().len()));
    }
    let &[batch, channels, height, width] = found else {
        return refuse("an input of 4 dimensions [n, channels, height, width] is needed".into());
    };
    if batch > 1 {
        return refuse(format!("the first dimension is {batch}, it must be dynamic or 1"));
    }
    let shape = manifest.shape();
    for (field, value, wanted, has) in [
        ("input.colour", format!("{:?}", shape.colour), shape.colour.channels(), channels),
        ("input.height", shape.height.to_string(), shape.height, height),
        ("input.width", shape.width.to_string(), shape.width, width),
    ] {
        if has >= 0 && has != wanted as i64 {
            let value = value.to_lowercase();
            return refuse(format!(
                "the manifest's {field} is {value}, which needs {wanted} where the model has {has} \
                 (order: n, channels, height, width)"
            ));
        }
    }
    Ok(batch == 1)
}

fn check_output(manifest: &Manifest, session: &Session, origin: &str) -> Result<(), BackendError> {
    let name = &manifest.output.tensor;
    let found = dimensions(session.outputs(), name, "the manifest's output.tensor", origin)?;
    let labels = manifest.output.labels.len();
    match found {
        // Of unknown rank: the rehearsal tells.
        [] => Ok(()),
        &[_, columns] if columns < 0 || columns == labels as i64 => Ok(()),
        _ => Err(BackendError::Load(format!(
            "{origin}: the manifest's output.labels has {labels} names, which needs an output of \
             [n, {labels}], but output {name:?} is {}",
            shown(found)
        ))),
    }
}
