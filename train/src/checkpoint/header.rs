//! What a checkpoint says of itself, without its tensors.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;

use super::{CheckpointError, Progress, progress};

/// Bytes of the header's length, which a safetensors file begins with.
const LENGTH: u64 = 8;

/// The head of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// How far the run was.
    pub progress: Progress,
    /// Values that the network learns; batch norm's running statistics are not among them.
    pub parameters: usize,
}

impl Header {
    /// Reads the head of a checkpoint, and nothing else of it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] where the file is missing, cut short or not one of ours.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.to_owned(), source };
        let format = |source| CheckpointError::Format { path: path.to_owned(), source };
        let (text, rest) = head(path).map_err(io)?;
        let text = String::from_utf8(text).map_err(|error| error.utf8_error());
        let text = text.map_err(|error| format(SafeTensorError::InvalidHeader(error)))?;
        let metadata: Metadata = serde_json::from_str(&text)
            .map_err(|error| format(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        if metadata.data_len() as u64 != rest {
            return Err(format(SafeTensorError::MetadataIncompleteBuffer));
        }
        let progress = progress(metadata.metadata().as_ref())
            .map_err(|reason| CheckpointError::Progress { path: path.to_owned(), reason })?;
        let sizes = metadata.tensors().into_iter().filter(|(name, _)| is_learnt(name));
        let parameters = sizes.map(|(_, info)| info.shape.iter().product::<usize>()).sum();
        Ok(Self { progress, parameters })
    }
}

/// The header's text, and how many bytes follow it.
fn head(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut length = [0; LENGTH as usize];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let Some(rest) = size.checked_sub(LENGTH).and_then(|size| size.checked_sub(length)) else {
        let problem = format!("its header claims {length} bytes; the file has {size} in all");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    };
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    Ok((text, rest))
}

/// Whether a tensor is part of the averaged network and was learnt.
fn is_learnt(name: &str) -> bool {
    let statistic = ["running_mean", "running_var"].iter().any(|end| name.ends_with(end));
    name.starts_with("average.") && !statistic
}
