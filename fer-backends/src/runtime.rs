//! Finding and loading the ONNX Runtime library.
//!
//! The library is no build dependency: it is searched when the first model loads, in this order,
//! and the first one that is 1.17 or newer is taken:
//!
//! 1. `$ORT_DYLIB_PATH`; if it is set, only that;
//! 2. the directory of the plugin itself, if the caller knows it;
//! 3. `gst-plugin-fer/` in the usual library directories, where this project's packages put one on
//!    systems that have none of their own;
//! 4. `${XDG_CACHE_HOME:-$HOME/.cache}/gst-plugin-fer/onnxruntime-*/`, where `./fer` puts one,
//!    newest version first;
//! 5. the loader's own search, then `$LD_LIBRARY_PATH` and the usual library directories, where
//!    distributions install it under a versioned name only.
//!
//! Each candidate is opened and asked for its version before `ort` sees it, because `ort` panics
//! on a library that is missing or too old.

use std::ffi::{CStr, OsString, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fer_core::detect::BackendError;
use ort::environment::Environment;

/// The oldest ONNX Runtime that works, as major and minor version.
pub const MINIMUM_VERSION: (u32, u32) = (1, 17);

/// Set to the library's file to use that and no other.
pub const PATH_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The library in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its file, or a bare name that the loader resolved.
    pub path: PathBuf,
    /// As the library states it, for instance `1.21.0`.
    pub version: String,
}

impl std::fmt::Display for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ONNX Runtime {} ({})", self.version, self.path.display())
    }
}

/// One a process: ONNX Runtime can't be unloaded, nor two of them be used side by side.
static LOADED: Mutex<Option<(Library, Environment)>> = Mutex::new(None);

/// Loads ONNX Runtime, or returns what an earlier call loaded. A failure may be tried again.
///
/// `beside` is the directory of the plugin's own file, searched early.
///
/// # Errors
/// No usable library. The message lists where it was looked for and what was wrong there.
pub fn load(beside: Option<&Path>) -> Result<Library, BackendError> {
    environment(beside).map(|(library, _)| library)
}

/// The library that [`load`] loaded, if it did.
pub fn loaded() -> Option<Library> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.as_ref().map(|(library, _)| library.clone())
}

pub(crate) fn environment(beside: Option<&Path>) -> Result<(Library, Environment), BackendError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(both) = loaded.as_ref() {
        return Ok(both.clone());
    }
    let library = Search::from_environment(beside).run()?;
    let unusable = |error: &dyn std::fmt::Display| {
        BackendError::Load(format!("{library} can't be initialised: {error}"))
    };
    let environment = ort::init_from(&library.path)
        .map_err(|error| unusable(&error))?
        .with_name("gst-plugin-fer")
        .with_telemetry(false)
        .build()
        .map_err(|error| unusable(&error))?;
    Ok(loaded.insert((library, environment)).clone())
}

/// Where to look.
#[derive(Debug, Default)]
struct Search {
    /// `$ORT_DYLIB_PATH`, if set and not empty.
    only: Option<PathBuf>,
    beside: Option<PathBuf>,
    /// Directories with a library that a package of ours brought along.
    packaged: Vec<PathBuf>,
    /// The folder that holds `onnxruntime-*` folders.
    cache: Option<PathBuf>,
    /// Names for the loader.
    names: Vec<PathBuf>,
    /// Directories whose libraries have versioned names.
    system: Vec<PathBuf>,
}

impl Search {
    fn from_environment(beside: Option<&Path>) -> Self {
        let variable = |name: &str| -> Option<OsString> {
            std::env::var_os(name).filter(|value| !value.is_empty())
        };
        // Relative paths are to be ignored there, by the XDG Base Directory Specification.
        let cache = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|cache| cache.is_absolute())
            .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))
            .map(|cache| cache.join("gst-plugin-fer"));
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let usual = [
            PathBuf::from("/usr/local/lib").join(&triplet),
            "/usr/local/lib".into(),
            PathBuf::from("/usr/lib").join(&triplet),
            "/usr/lib64".into(),
            "/usr/lib".into(),
            "/opt/homebrew/lib".into(),
        ];
        let packaged = usual.iter().map(|directory| directory.join("gst-plugin-fer")).collect();
        let mut system: Vec<PathBuf> = variable("LD_LIBRARY_PATH")
            .map(|paths| std::env::split_paths(&paths).collect())
            .unwrap_or_default();
        system.extend(usual);
        Self {
            only: variable(PATH_VARIABLE).map(PathBuf::from),
            beside: beside.map(Path::to_owned),
            packaged,
            cache,
            names: vec![library_name(""), library_name(".1")],
            system,
        }
    }

    /// The first usable library.
    fn run(&self) -> Result<Library, BackendError> {
        let mut notes = Vec::new();
        for place in self.places() {
            if place.candidates.is_empty() {
                notes.push(format!("{}: none there", place.name));
            }
            for path in place.candidates {
                match probe(&path) {
                    Ok(library) => return Ok(library),
                    Err(problem) => notes.push(problem),
                }
            }
        }
        Err(BackendError::Load(format!(
            "no usable ONNX Runtime library, {}.{} or newer is needed. Looked at: {}. {}",
            MINIMUM_VERSION.0,
            MINIMUM_VERSION.1,
            notes.join("; "),
            self.advice(),
        )))
    }

    fn advice(&self) -> &'static str {
        if self.only.is_some() {
            "Set ORT_DYLIB_PATH to the file of a usable library, or unset it to have one searched"
        } else {
            "Run ./fer once, which sets one up; or install your distribution's package (Debian 13: \
             libonnxruntime1.21); or set ORT_DYLIB_PATH to the library's file"
        }
    }

    fn places(&self) -> Vec<Place> {
        if let Some(path) = &self.only {
            return vec![Place { name: PATH_VARIABLE.to_owned(), candidates: vec![path.clone()] }];
        }
        let existing = |paths: &[PathBuf]| -> Vec<Place> {
            paths.iter().filter(|path| path.is_dir()).map(|path| Place::directory(path)).collect()
        };
        let mut places = Vec::new();
        places.extend(self.beside.as_deref().map(Place::directory));
        places.extend(existing(&self.packaged));
        places.extend(self.cache.as_deref().map(Place::cache));
        places.push(Place { name: "the loader's path".into(), candidates: self.names.clone() });
        places.extend(existing(&self.system));
        places
    }
}

/// One place to look, and what lies there.
struct Place {
    name: String,
    candidates: Vec<PathBuf>,
}

impl Place {
    fn directory(path: &Path) -> Self {
        Self { name: path.display().to_string(), candidates: libraries_in(path) }
    }

    fn cache(path: &Path) -> Self {
        let mut folders = entries(path, |name| name.starts_with("onnxruntime-"));
        sort_newest_first(&mut folders);
        let candidates = folders.iter().flat_map(|folder| libraries_in(folder)).collect();
        Self { name: path.join("onnxruntime-*").display().to_string(), candidates }
    }
}

/// `libonnxruntime.so` followed by `version`, or the platform's equivalent.
fn library_name(version: &str) -> PathBuf {
    if cfg!(target_os = "macos") {
        format!("libonnxruntime{version}.dylib").into()
    } else {
        format!("libonnxruntime.so{version}").into()
    }
}

/// Runtime libraries in a directory, newest first. Other libraries of the same package, such as
/// `libonnxruntime_providers_shared.so`, are none.
fn libraries_in(directory: &Path) -> Vec<PathBuf> {
    let (start, end) = if cfg!(target_os = "macos") {
        ("libonnxruntime.", ".dylib")
    } else {
        ("libonnxruntime.so", "")
    };
    let mut found = entries(directory, |name| name.starts_with(start) && name.ends_with(end));
    sort_newest_first(&mut found);
    found
}

fn entries(directory: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(directory) else { return Vec::new() };
    let named = |path: &PathBuf| path.file_name().and_then(|n| n.to_str()).is_some_and(&wanted);
    listing.flatten().map(|entry| entry.path()).filter(named).collect()
}

fn sort_newest_first(paths: &mut [PathBuf]) {
    let version = |path: &PathBuf| -> Vec<u32> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    paths.sort_by_cached_key(|path| (std::cmp::Reverse(version(path)), path.clone()));
}

/// Opens a candidate and asks for its version; the error says what is wrong with it.
fn probe(path: &Path) -> Result<Library, String> {
    // With a slash the loader takes a path as it is, but `ort` looks beside the executable first.
    let path = if path.components().count() > 1 {
        std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?
    } else {
        path.to_owned()
    };
    let version = version_of(&path).map_err(|error| {
        let reason = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{}: {error}{reason}", path.display())
    })?;
    let number = |index: usize| version.split('.').nth(index).and_then(|part| part.parse().ok());
    match (number(0), number(1)) {
        (Some(major), Some(minor)) if (major, minor) >= MINIMUM_VERSION => {
            Ok(Library { path, version })
        }
        _ => Err(format!("{} is version {version}, too old", path.display())),
    }
}

/// The first two fields of ONNX Runtime's `OrtApiBase`, unchanged since 1.0.
#[repr(C)]
struct ApiBase {
    _get_api: unsafe extern "C" fn(version: u32) -> *const std::ffi::c_void,
    get_version_string: unsafe extern "C" fn() -> *const c_char,
}

fn version_of(path: &Path) -> Result<String, Box<dyn std::error::Error>> {
    if path.is_dir() {
        return Err("is a directory, the library's file is needed".into());
    }
    // SAFETY: runs the library's initialisers. The user, or the search order that is documented
    // above, chose the file as the ONNX Runtime to use; `ort` is about to open it as well.
    let library = unsafe { libloading::Library::new(path) }?;
    // SAFETY: `OrtGetApiBase` has had this signature since ONNX Runtime 1.0.
    let get_base =
        unsafe { library.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase\0") }
            .map_err(|_| "is not ONNX Runtime: it has no function OrtGetApiBase")?;
    // SAFETY: takes nothing, returns a pointer to a static or null; `library` is still open.
    let base = unsafe { get_base().as_ref() }.ok_or("OrtGetApiBase returned null")?;
    // SAFETY: returns a static string that ends with NUL; null is checked below.
    let version = unsafe { (base.get_version_string)() };
    if version.is_null() {
        return Err("GetVersionString returned null".into());
    }
    // SAFETY: not null, NUL-terminated and static as long as `library` is open.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    // Closing and reopening it would run its finalisers under threads that it may have started.
    std::mem::forget(library);
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(path: impl Into<PathBuf>) -> Result<Library, String> {
        let search = Search { only: Some(path.into()), ..Search::default() };
        search.run().map_err(|error| error.to_string())
    }

    fn assert_parts(error: &str, parts: &[&str]) {
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    #[test]
    fn a_path_that_is_named_is_the_only_one() {
        let error = only("/nowhere/libonnxruntime.so").unwrap_err();
        assert_parts(&error, &["/nowhere/libonnxruntime.so", "ORT_DYLIB_PATH", "1.17"]);
        assert_parts(&error, &["No such file"]);
        assert!(!error.contains("./fer"), "{error}");
        assert_parts(&only("/usr").unwrap_err(), &["/usr: is a directory"]);
    }

    #[test]
    fn a_file_that_is_no_library_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        for content in [&b""[..], b"not a library", b"\x7fELF"] {
            std::fs::write(&path, content).unwrap();
            assert_parts(
                &only(&path).unwrap_err(),
                &["no usable ONNX Runtime", "libonnxruntime.so"],
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn another_library_is_refused() {
        assert_parts(&only("libc.so.6").unwrap_err(), &["libc.so.6", "OrtGetApiBase"]);
    }

    #[test]
    fn without_any_library_the_error_names_every_place_and_the_way_out() {
        let empty = tempfile::tempdir().unwrap();
        let search = Search {
            only: None,
            beside: Some(empty.path().join("plugin")),
            packaged: vec![empty.path().join("no-package")],
            cache: Some(empty.path().join("cache")),
            names: vec!["libno-such-runtime.so".into()],
            system: vec![empty.path().to_owned()],
        };
        let error = search.run().unwrap_err().to_string();
        let places = ["plugin: none", "cache/onnxruntime-*: none", "libno-such-runtime.so"];
        assert_parts(&error, &places);
        assert_parts(&error, &["1.17", "./fer", "ORT_DYLIB_PATH", "libonnxruntime1.21"]);
    }

    #[test]
    fn a_packages_own_library_comes_before_the_users_and_the_systems() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        let search = Search {
            packaged: vec![folder("packaged")],
            cache: Some(folder("cache")),
            system: vec![folder("system")],
            ..Search::default()
        };
        let names: Vec<_> = search.places().into_iter().map(|place| place.name).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        for (name, end) in names.iter().zip(["packaged", "onnxruntime-*", "path", "system"]) {
            assert!(name.ends_with(end), "{names:?}");
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_packages_own_library_is_looked_for_where_ci_deb_sh_puts_it() {
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        let folder = PathBuf::from("/usr/lib").join(triplet).join("gst-plugin-fer");
        assert!(Search::from_environment(None).packaged.contains(&folder));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_runtime_that_is_too_old_is_refused_with_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libonnxruntime.so.1.16.3");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/old_runtime.rs");
        let built = std::process::Command::new("rustc")
            .args(["--edition", "2024", "--crate-type", "cdylib", "-o"])
            .args([&library, &source])
            .status()
            .unwrap();
        assert!(built.success());
        assert_parts(&only(&library).unwrap_err(), &["version 1.16.3, too old", "1.17"]);
        // One that is too old doesn't end the search.
        let search = Search {
            beside: Some(folder.path().to_owned()),
            names: vec!["libno-such-runtime.so".into()],
            ..Search::default()
        };
        let error = search.run().unwrap_err().to_string();
        assert_parts(&error, &["too old", "libno-such-runtime.so"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_newest_version_comes_first_and_provider_libraries_are_left_out() {
        let cache = tempfile::tempdir().unwrap();
        for version in ["1.9.0", "1.32.0", "1.21.1"] {
            let folder = cache.path().join(format!("onnxruntime-{version}"));
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(format!("libonnxruntime.so.{version}")), "").unwrap();
            std::fs::write(folder.join("libonnxruntime_providers_shared.so"), "").unwrap();
        }
        std::fs::create_dir(cache.path().join("libtorch-2.11.0")).unwrap();
        let found: Vec<_> = Place::cache(cache.path())
            .candidates
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        let expected = ["1.32.0", "1.21.1", "1.9.0"].map(|v| format!("libonnxruntime.so.{v}"));
        assert_eq!(found, expected);
    }
}
