//! What `ferdetect` needs besides GStreamer.

use fer_core::detect::BackendError;
use gstfer::ferdetect::parts;

use super::Check;

pub(super) fn parts() -> [Check; 3] {
    let runtime = parts::runtime().map(|library| library.to_string());
    let model = parts::model().map(|manifest| {
        let (labels, name) = (manifest.output.labels.len(), &manifest.name);
        format!("{name} loads and answers, {labels} classes")
    });
    let cascade = parts::cascade().map(|path| path.display().to_string());
    // A model cannot run without the library: said once, that is enough.
    let model = match (&runtime, model) {
        (Err(_), _) => Check::failed("model", "not tried without ONNX Runtime", None),
        (Ok(_), model) => check("model", model),
    };
    [check("ONNX Runtime", runtime), model, check("face cascade", cascade)]
}

/// What is wrong, and what to do, are both in the error's message.
fn check(name: &str, result: Result<String, BackendError>) -> Check {
    match result {
        Ok(found) => Check::ok(name, found),
        Err(error) => Check::failed(name, error.to_string(), None),
    }
}
