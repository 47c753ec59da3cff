//! Opening ONNX models: the parts that classifier and detector share.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use fer_core::detect::BackendError;
use ort::ep::{self, ExecutionProvider as _, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType};

use crate::runtime::{self, Library};

/// What runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExecutionProvider {
    /// Any processor; always there.
    #[default]
    Cpu,
    /// NVIDIA GPUs.
    Cuda,
    /// NVIDIA GPUs through TensorRT.
    TensorRt,
    /// Intel CPUs, GPUs and NPUs.
    OpenVino,
    /// Apple devices.
    CoreMl,
    /// Windows GPUs.
    DirectMl,
}

impl ExecutionProvider {
    /// Every provider.
    pub const ALL: [Self; 6] =
        [Self::Cpu, Self::Cuda, Self::TensorRt, Self::OpenVino, Self::CoreMl, Self::DirectMl];

    /// The name used in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::OpenVino => "openvino",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
        }
    }

    /// Whether the loaded library was built with it.
    fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => Ok(true),
            Self::Cuda => ep::CUDA::is_available(),
            Self::TensorRt => ep::TensorRT::is_available(),
            Self::OpenVino => ep::OpenVINO::is_available(),
            Self::CoreMl => ep::CoreML::is_available(),
            Self::DirectMl => ep::DirectML::is_available(),
        }
        .unwrap_or(false)
    }

    fn dispatch(self) -> Option<ExecutionProviderDispatch> {
        Some(match self {
            Self::Cpu => return None,
            Self::Cuda => ep::CUDA::default().build(),
            Self::TensorRt => ep::TensorRT::default().build(),
            Self::OpenVino => ep::OpenVINO::default().build(),
            Self::CoreMl => ep::CoreML::default().build(),
            Self::DirectMl => ep::DirectML::default().build(),
        })
    }
}

impl fmt::Display for ExecutionProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExecutionProvider {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Self::ALL.into_iter().find(|provider| provider.name() == name).ok_or_else(|| {
            BackendError::Option {
                option: "execution-provider",
                value: format!("{name:?}"),
                accepted: Self::ALL.map(Self::name).join(", "),
            }
        })
    }
}

/// How a model is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A provider that the library lacks is an error, never a silent fall-back to the CPU.
    pub execution_provider: ExecutionProvider,
    /// Threads that share the work of one operator, 1 to 64. More than 1 rarely pays for small
    /// nets, and competes with the other elements of a pipeline.
    pub intra_threads: usize,
    /// The directory of the plugin's own file, where the library is searched early.
    pub library_beside: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            execution_provider: ExecutionProvider::default(),
            intra_threads: 1,
            library_beside: None,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), BackendError> {
        if (1..=64).contains(&self.intra_threads) {
            return Ok(());
        }
        Err(BackendError::Option {
            option: "intra-threads",
            value: self.intra_threads.to_string(),
            accepted: "1 to 64".to_owned(),
        })
    }
}

/// Loads ONNX Runtime if need be and opens `model`; `origin` names the file in errors.
pub(crate) fn open(model: &[u8], origin: &str, options: &Options) -> Result<Session, BackendError> {
    options.check()?;
    if model.is_empty() {
        return Err(BackendError::Load(format!("{origin}: the model file is empty")));
    }
    let (library, environment) = runtime::environment(options.library_beside.as_deref())?;
    let mut builder = Session::builder(&environment)
        .and_then(|builder| configure(builder, options))
        .map_err(|error| BackendError::Load(format!("{library}: {error}")))?;
    if let Some(provider) = options.execution_provider.dispatch() {
        builder = with_provider(builder, provider, options.execution_provider, &library)?;
    }
    builder.commit_from_memory(model).map_err(|error| {
        BackendError::Load(format!(
            "{origin} is damaged, no ONNX model, or of a kind that {library} can't run: {error}"
        ))
    })
}

fn configure(builder: SessionBuilder, options: &Options) -> ort::Result<SessionBuilder> {
    Ok(builder
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(options.intra_threads)?
        // Idle workers of a live pipeline must not burn a core between frames.
        .with_intra_op_spinning(false)?)
}

fn with_provider(
    builder: SessionBuilder,
    dispatch: ExecutionProviderDispatch,
    provider: ExecutionProvider,
    library: &Library,
) -> Result<SessionBuilder, BackendError> {
    if !provider.is_built_in() {
        let built_in = ExecutionProvider::ALL.into_iter().filter(|other| other.is_built_in());
        let names: Vec<_> = built_in.map(ExecutionProvider::name).collect();
        return Err(BackendError::Option {
            option: "execution-provider",
            value: provider.to_string(),
            accepted: format!(
                "{} with {library}, which was built without {provider}; set {} to one that has it",
                names.join(", "),
                runtime::PATH_VARIABLE
            ),
        });
    }
    builder.with_execution_providers([dispatch.error_on_failure()]).map_err(|error| {
        BackendError::Load(format!(
            "execution-provider {provider} can't be used: {library} has it, but it fails with: \
             {error}"
        ))
    })
}

/// The tensor called `name` among a model's inputs or outputs: its dimensions, −1 where dynamic.
/// `field` is what to name in errors as the source of `name`.
pub(crate) fn dimensions<'a>(
    outlets: &'a [Outlet],
    name: &str,
    field: &str,
    origin: &str,
) -> Result<&'a [i64], BackendError> {
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == name) else {
        let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
        return Err(BackendError::Load(format!(
            "{origin}: {field} is {name:?}, but the model has: {}",
            names.join(", ")
        )));
    };
    match (outlet.dtype().tensor_type(), outlet.dtype().tensor_shape()) {
        (Some(TensorElementType::Float32), Some(shape)) => Ok(shape),
        _ => Err(BackendError::Load(format!(
            "{origin}: {field} is {name:?}, which is a {} in the model; only Tensor<f32> is \
             supported",
            outlet.dtype()
        ))),
    }
}

/// Dimensions as people write them: `[n, 1, 48, 48]`.
pub(crate) fn shown(dimensions: &[i64]) -> String {
    let dimension = |d: &i64| if *d < 0 { "n".to_owned() } else { d.to_string() };
    format!("[{}]", dimensions.iter().map(dimension).collect::<Vec<_>>().join(", "))
}
