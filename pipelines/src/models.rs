//! Networks that are not built in: fetched once, held against the checksum that is pinned here, and
//! found by `ferdetect` from then on.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fer_core::manifest::sha256_hex;
use gstfer::ferdetect::parts;

use crate::files::write_atomically;

/// A network that can be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// By which users call it.
    pub name: &'static str,
    /// Where its authors keep it.
    pub url: &'static str,
    /// Of the file, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// Bytes of the file.
    pub size: u64,
}

/// YuNet, the face detector of `detector=yunet` (MIT licence).
pub const YUNET: Model = Model {
    name: "yunet",
    url: "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    sha256: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    size: 232_589,
};

/// What became of a wish for a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has been fetched.
    Fetched,
    /// It was there already.
    Present,
}

/// Why a model was not fetched. Nothing is left of it then, and what was there before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no place for it unless one is named.
    #[error("neither XDG_DATA_HOME nor HOME names a folder for it; expected --out FILE")]
    NoPlace,
    /// Something else lies where it is to go.
    #[error(
        "{path} is there already and is another file; expected another --out, or that it is moved \
         away"
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read from where it is to come from.
    #[error(
        "{from}: {reason}; expected the model there. Where there is no network, fetch it on another \
         machine ({url}) and give it as --from FILE"
    )]
    Source {
        /// The address or file.
        from: String,
        /// What went wrong.
        reason: String,
        /// Where the authors keep it.
        url: &'static str,
    },
    /// It is not what was expected.
    #[error(
        "{from}: the SHA-256 of its {size} bytes is {found}, expected {} ({} bytes). It is damaged, \
         another version, or not what it claims to be; nothing was kept. Give another --from",
        model.sha256,
        model.size
    )]
    Checksum {
        /// The address or file.
        from: String,
        /// Bytes that came.
        size: usize,
        /// Their checksum.
        found: String,
        /// What was expected.
        model: Model,
    },
    /// It cannot be written.
    #[error("{path}: {source}; expected a place where files can be made, as --out FILE")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a model goes unless a place is named: where `ferdetect` looks for it.
///
/// # Errors
///
/// [`ModelError::NoPlace`].
pub fn usual_place() -> Result<PathBuf, ModelError> {
    parts::yunet().ok_or(ModelError::NoPlace)
}

impl Model {
    /// Whether `path` is this model; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// There is something that cannot be read.
    pub fn is_at(&self, path: &Path) -> io::Result<Option<bool>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(sha256_hex(&bytes) == self.sha256)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sees to it that the model lies at `to`, from `from`: an address (`http://`, `https://`,
    /// `file://`) or a file. Another file that lies there is replaced only if `replace` says so. The
    /// file gets its name when all of it is there and its checksum is right.
    ///
    /// # Errors
    ///
    /// [`ModelError`].
    pub fn get(&self, from: &str, to: &Path, replace: bool) -> Result<Outcome, ModelError> {
        let unusable = |source| ModelError::Write { path: to.to_owned(), source };
        match self.is_at(to).map_err(unusable)? {
            Some(true) => return Ok(Outcome::Present),
            Some(false) if !replace => return Err(ModelError::Taken { path: to.to_owned() }),
            Some(false) | None => {}
        }
        let bytes = self.read(from).map_err(|reason| {
            let from = from.to_owned();
            ModelError::Source { from, reason, url: self.url }
        })?;
        let found = sha256_hex(&bytes);
        if found != self.sha256 {
            let (from, size) = (from.to_owned(), bytes.len());
            return Err(ModelError::Checksum { from, size, found, model: *self });
        }
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(unusable)?;
        }
        write_atomically(to, &bytes).map_err(unusable)?;
        Ok(Outcome::Fetched)
    }

    fn read(&self, from: &str) -> Result<Vec<u8>, String> {
        match from.split_once("://") {
            Some(("http" | "https", _)) => self.download(from).map_err(|error| error.to_string()),
            Some(("file", _)) => {
                let (path, host) = gst::glib::filename_from_uri(from).map_err(|e| e.to_string())?;
                match host.filter(|host| host != "localhost") {
                    Some(host) => Err(format!("it is on {host}, expected file:///PATH of here")),
                    None => std::fs::read(path).map_err(|error| error.to_string()),
                }
            }
            Some(_) => Err("expected a file, or an address with http, https or file".to_owned()),
            None => std::fs::read(from).map_err(|error| error.to_string()),
        }
    }

    fn download(&self, url: &str) -> Result<Vec<u8>, ureq::Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_recv_body(Some(Duration::from_secs(300)))
            .user_agent(concat!("gst-plugin-fer/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut response = agent.get(url).call()?;
        // What is larger is something else, however long it goes on.
        response.body_mut().with_config().limit(self.size + 1).read_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// `printf 'a network' | sha256sum`
    const NETWORK: &[u8] = b"a network";
    const MODEL: Model = Model {
        name: "test",
        url: "https://example.org/test.onnx",
        sha256: "2f782beca6c497e09ee1b67bd6a1202048f19e97f7e1364a58d415ce7b3ecd9e",
        size: 9,
    };

    /// A server that gives one answer to each of as many requests; its address.
    fn server(answers: Vec<Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/test.onnx", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut client, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                assert!(client.read(&mut request).unwrap() > 0);
                // Who has read enough hangs up.
                let _ = client.write_all(&answer);
            }
        });
        address
    }

    fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    /// Fetching fails with a message that has all these parts, and leaves nothing.
    fn refuses(from: &str, parts: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let told = MODEL.get(from, &folder.path().join("m.onnx"), true).unwrap_err().to_string();
        for part in parts {
            assert!(told.contains(part), "{from}: {part:?} is not in: {told}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{from}");
    }

    #[test]
    fn a_model_comes_from_a_file_or_a_server_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("with space.onnx");
        std::fs::write(&file, NETWORK).unwrap();
        let moved = "HTTP/1.1 302 Found\r\nLocation: /other.onnx\r\nContent-Length: 0\r\n\
                     Connection: close\r\n\r\n";
        let served = server(vec![moved.into(), answer("200 OK", 9, NETWORK)]);
        let uri = gst::glib::filename_to_uri(&file, None).unwrap();
        for (index, from) in [file.to_str().unwrap(), &uri, &served].into_iter().enumerate() {
            let to = folder.path().join(format!("new/{index}/m.onnx"));
            assert_eq!(MODEL.get(from, &to, false).unwrap(), Outcome::Fetched, "{from}");
            assert_eq!(std::fs::read(&to).unwrap(), NETWORK);
            assert_eq!(std::fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
            assert_eq!(MODEL.get("/nowhere", &to, false).unwrap(), Outcome::Present);
        }
    }

    #[test]
    fn what_is_not_the_model_is_refused_with_both_checksums() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("other.onnx");
        std::fs::write(&file, b"").unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let parts = ["other.onnx", "0 bytes", empty, MODEL.sha256, "(9 bytes)", "--from"];
        refuses(file.to_str().unwrap(), &parts);
        refuses(&server(vec![answer("200 OK", 9, b"a netwerk")]), &["9 bytes", MODEL.sha256]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_to_do() {
        let hint = [MODEL.url, "--from FILE"];
        let refused =
            |from: &str, reason: &str| refuses(from, &[&[from, reason], &hint[..]].concat());
        refused("/nowhere/m.onnx", "No such file");
        refused("ftp://example.org/m.onnx", "http, https or file");
        refused("file://not/here", "it is on not");
        refused("http://127.0.0.1:1/m.onnx", "Connection refused");
        refused(&server(vec![answer("404 Not Found", 0, b"")]), "404");
        refused(&server(vec![answer("200 OK", 9, b"a net")]), "");
        refused(&server(vec![answer("200 OK", 1000, &[7; 1000])]), "");
    }

    #[test]
    fn what_lies_at_its_place_is_replaced_only_where_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.onnx"), folder.path().join("to.onnx"));
        std::fs::write(&from, NETWORK).unwrap();
        std::fs::write(&to, b"notes").unwrap();
        let from = from.to_str().unwrap();
        let told = MODEL.get(from, &to, false).unwrap_err().to_string();
        assert!(told.contains("to.onnx is there already") && told.contains("--out"), "{told}");
        assert_eq!(std::fs::read(&to).unwrap(), b"notes");
        assert_eq!(MODEL.get(from, &to, true).unwrap(), Outcome::Fetched);
        assert_eq!(MODEL.is_at(&to).unwrap(), Some(true));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, NETWORK).unwrap();
        // Whoever runs this may be root, to whom no folder is closed: a file is no folder.
        let to = file.join("m.onnx");
        let told = MODEL.get(file.to_str().unwrap(), &to, true).unwrap_err().to_string();
        assert!(told.contains("file/m.onnx") && told.contains("--out FILE"), "{told}");
    }
}
