//! What a run was done with. What the system does not tell is left out.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{INFO, RunError, read_json};
use crate::checkpoint::Progress;
use crate::files::write_json;

/// A computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: Option<String>,
    /// Processors that the program may use.
    pub processors: Option<usize>,
    /// Models of the NVIDIA cards.
    pub gpus: Vec<String>,
    /// Main memory in bytes.
    pub memory: Option<u64>,
    /// The operating system and its kernel's version.
    pub system: Option<String>,
}

impl Machine {
    /// The one that this program runs on.
    pub fn this() -> Self {
        let kernel = read("/proc/sys/kernel/osrelease");
        let name = read("/etc/os-release").as_deref().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
            Some(line.trim_matches('"').to_owned())
        });
        let system = match (name, kernel) {
            (Some(name), Some(kernel)) => Some(format!("{name}, Linux {kernel}")),
            (name, kernel) => name.or(kernel.map(|kernel| format!("Linux {kernel}"))),
        };
        Self {
            cpu: read("/proc/cpuinfo").and_then(|text| field(&text, "model name")),
            processors: std::thread::available_parallelism().ok().map(usize::from),
            gpus: gpus(),
            memory: read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal")),
            system,
        }
    }
}

/// What a run was done with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of this program.
    pub fer_train: String,
    /// Version of libtorch.
    pub libtorch: Option<String>,
    /// Where the network was.
    pub device: String,
    /// Threads that libtorch could use.
    pub threads: i32,
    /// The computer, at the latest epoch.
    pub machine: Machine,
    /// When the first epoch began (RFC 3339, UTC).
    pub started: Option<String>,
    /// Seconds of all epochs, validation included, over all resumptions.
    pub training_seconds: f64,
    /// The most main memory that the program took, in bytes, over all resumptions.
    pub peak_memory: Option<u64>,
}

impl RunInfo {
    /// What was noted in a run's folder, if anything.
    ///
    /// # Errors
    ///
    /// [`RunError::Io`] or [`RunError::Json`].
    pub fn read(folder: &Path) -> Result<Option<Self>, RunError> {
        let path = folder.join(INFO);
        if path.exists() {
            read_json(&path, "what `train` notes of a run").map(Some)
        } else {
            Ok(None)
        }
    }

    /// What is so now, after what was noted `earlier`.
    fn gather(earlier: Option<Self>, progress: &Progress) -> Self {
        let (started, peak) = match earlier {
            Some(earlier) => (earlier.started, earlier.peak_memory),
            // A run that is under way has begun at a time that nobody noted.
            None if progress.epochs_done > 0 => (None, None),
            None => (Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string()), None),
        };
        let own_peak = read("/proc/self/status").and_then(|text| kibibytes(&text, "VmHWM"));
        Self {
            fer_train: env!("CARGO_PKG_VERSION").to_owned(),
            libtorch: libtorch(),
            device: progress.recipe.device.clone(),
            threads: progress.recipe.threads,
            machine: Machine::this(),
            started,
            training_seconds: progress.history.iter().map(|epoch| epoch.seconds).sum(),
            peak_memory: own_peak.max(peak),
        }
    }
}

/// Notes in a run's folder what it is done with: to be called before the first epoch and after
/// each. An earlier note that is damaged is as good as none.
///
/// # Errors
///
/// [`RunError`] where the new note cannot be written.
pub fn note(folder: &Path, progress: &Progress) -> Result<(), RunError> {
    let info = RunInfo::gather(RunInfo::read(folder).ok().flatten(), progress);
    let path = folder.join(INFO);
    write_json(&path, &info).map_err(|source| RunError::Io { path, source })
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The value of the first line `key : value`.
fn field(text: &str, key: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned())
}

/// The value of a line `key: N kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok().map(|count| count * 1024)
}

fn gpus() -> Vec<String> {
    let cards = fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let model = |card: fs::DirEntry| field(&read(card.path().join("information"))?, "Model");
    cards.filter_map(model).collect()
}

/// The version that lies beside the library that was loaded: libtorch's own note, its C header, or
/// the one of the Python wheel.
fn libtorch() -> Option<String> {
    let maps = read("/proc/self/maps")?;
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let library = Path::new(line.get(line.find('/')?..)?);
    let root = library.parent()?.parent()?;
    let header = "include/torch/headeronly/version.h";
    read(root.join("build-version"))
        .or_else(|| quoted(&read(root.join(header))?, "#define TORCH_VERSION ", '"'))
        .or_else(|| quoted(&read(root.join("version.py"))?, "__version__ =", '\''))
}

/// What is between the first two `quote`s after `start`.
fn quoted(text: &str, start: &str, quote: char) -> Option<String> {
    let (_, after) = text.split_once(start)?;
    after.split(quote).nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_systems_files_are_found() {
        let status = "Name:\tfer-train\nVmPeak:\t  900 kB\nVmHWM:\t  512 kB\n";
        assert_eq!(kibibytes(status, "VmHWM"), Some(524_288));
        assert_eq!(kibibytes(status, "VmSwap"), None);
        let cpus = "processor\t: 0\nmodel name\t: A: fast one\nprocessor\t: 1\nmodel name\t: B\n";
        assert_eq!(field(cpus, "model name").as_deref(), Some("A: fast one"));
    }

    #[test]
    fn versions_are_found_between_quotes() {
        let header = "/// x\n#define TORCH_VERSION \\\n  \"2.11.0\"\n";
        assert_eq!(quoted(header, "#define TORCH_VERSION ", '"').as_deref(), Some("2.11.0"));
        let wheel = "__all__ = ['x']\n__version__ = '2.11.0+cpu'\n";
        assert_eq!(quoted(wheel, "__version__ =", '\'').as_deref(), Some("2.11.0+cpu"));
        assert_eq!(quoted("nothing", "__version__ =", '\''), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_a_system_and_the_library_a_version() {
        // Makes the library be loaded, whatever the linker thinks.
        assert!(tch::get_num_threads() > 0);
        assert!(Machine::this().system.is_some_and(|system| system.contains("Linux")));
        assert!(libtorch().is_none_or(|version| version.starts_with("2.")));
    }
}
