//! Any ONNX graph of one `f32` input, run as it is: for tools that look inside of one.

use fer_core::detect::BackendError;
use ort::session::Session;
use ort::value::TensorRef;

pub use crate::session::Options;
use crate::session::open;

/// A graph, ready to run.
#[derive(Debug)]
pub struct OnnxGraph {
    session: Session,
    input: String,
    origin: String,
}

impl OnnxGraph {
    /// Takes a graph that is in memory; `origin` names it in errors.
    ///
    /// # Errors
    /// The file is damaged or has not one input, or ONNX Runtime or the execution provider isn't
    /// there.
    pub fn from_memory(
        model: &[u8],
        origin: &str,
        options: &Options,
    ) -> Result<Self, BackendError> {
        let session = open(model, origin, options)?;
        let origin = origin.to_owned();
        let [input] = session.inputs() else {
            let inputs = session.inputs().len();
            return Err(BackendError::Load(format!("{origin} has {inputs} inputs, 1 is needed")));
        };
        Ok(Self { input: input.name().to_owned(), session, origin })
    }

    /// Runs it on `values` of the shape `dimensions`, and hands each output to `each` by name.
    ///
    /// # Errors
    /// The shape does not fit, or an output is no tensor of `f32`.
    pub fn run(
        &mut self,
        dimensions: &[usize],
        values: &[f32],
        mut each: impl FnMut(&str, &[f32]),
    ) -> Result<(), BackendError> {
        let origin = &self.origin;
        let failed = |error: ort::Error| BackendError::Run(format!("{origin} failed: {error}"));
        let tensor = TensorRef::from_array_view((dimensions, values)).map_err(failed)?;
        let outputs =
            self.session.run(ort::inputs![self.input.as_str() => tensor]).map_err(failed)?;
        for (name, output) in &outputs {
            let (_, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
            each(name, values);
        }
        Ok(())
    }
}
